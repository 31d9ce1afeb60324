"""The documentation site: `python -m website FOLDER` builds it from docs/.

Responsible for the pages' order, the two languages and what the generator does not check. Zensical turns the pages into
HTML. Nothing of it is installed with the package.
"""
