import sys
from models import GeneratorMLP, DiscriminatorMLP

sys.exit("run this on the cluster")
