"""Write docs/reference and docs/zh/reference from the models and tables: `python -m tests.reference`."""

from tests.markdown import ROOT

from . import pages


def main() -> None:
    """Write every page, and remove those that are made no longer."""
    made = pages()
    for folder in {path.parent for path in made}:
        (ROOT / folder).mkdir(parents=True, exist_ok=True)
        for old in (ROOT / folder).glob("*.md"):
            if old.relative_to(ROOT) not in made:
                old.unlink()
    for path, text in made.items():
        (ROOT / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
