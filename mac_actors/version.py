"""The version of the installed package; ``setup.cfg`` is where it is written."""

from importlib.metadata import version

VERSION = version("mac-actors")
