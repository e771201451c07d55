"""Give students their grades: releases, and the files that learning management systems import."""
