"""``python -m dev.images build [NAME...] | list``."""

import argparse

from dev.images.build import build, refs
from dev.images.recipes import IMAGES


def main() -> None:
    """Build images, or list their references."""
    parser = argparse.ArgumentParser(prog="python -m dev.images", description="The development images.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="print every image's reference")
    building = commands.add_parser("build", help="build what is missing and print the archives")
    building.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(IMAGES)} (all)")
    arguments = parser.parse_args()
    if arguments.command == "list":
        for name, ref in refs().items():
            print(f"{name:15} {ref}")
        return
    if unknown := set(arguments.names) - set(IMAGES):
        parser.error(f"no such image: {', '.join(sorted(unknown))}")
    for name, archive in build(arguments.names or None).items():
        print(f"{name:15} {archive}")


if __name__ == "__main__":
    main()
