"""Run the benchmarks and print one row a figure."""

import importlib
import pkgutil
import sys

import tests.benchmarks as package


def main() -> None:
    """Print the rows of the named modules, or of all."""
    names = sys.argv[1:] or sorted(
        module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0] != "_"
    )
    for name in names:
        module = importlib.import_module(f"tests.benchmarks.{name}")
        for row in module.rows():
            held = {True: "held", False: "MISSED", None: "-"}[row.held]
            print(
                f"{row.name:<46} {row.value:>10.3f}  {row.limit:<9} {held:<6} "
                f"vs {row.compared_with}" + (f"  [{row.detail}]" if row.detail else ""),
                flush=True,
            )


if __name__ == "__main__":
    main()
