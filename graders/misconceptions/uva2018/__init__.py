"""The mistakes of the 2018 assignment."""
