#!/usr/bin/env python3
"""Copies of notebooks and pages to hand out, without the folded answers: handouts.py FOLDER FILE...

In a notebook there is room for the reader's own prediction below each question, and for an explanation in place of each
answer. Hints stay. Outputs go, and what the text says of answers and of the solutions' notebook.
"""

import json
import pathlib
import re
import sys

# Folded boxes that are no answers, by the beginnings of their titles; all others are taken out.
KEPT = ("Hint", "Try it", "What to try", "You know Python")
BOX = re.compile(r"<details><summary>(.*?)</summary>.*?</details>", re.DOTALL)
QUESTION = re.compile(r"^\*\*(?:Predict|Think first)\.\*\*.*", re.MULTILINE)
# What else is said of answers that are not there.
SAID = re.compile(r" The answers are folded away[^.]*\.|; the answers are folded away|; its answer, below the figure, is folded away"
                  r"|^The \[solutions\]\(solutions/.*\n\n", re.MULTILINE)


def without_answers(text):
    text = BOX.sub(lambda box: box[0] if box[1].startswith(KEPT) else "*Your explanation:*", text)
    return SAID.sub("", QUESTION.sub(r"\g<0>\n\n*Your prediction:*", text))


def hand_out(book):
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            cell["source"] = without_answers("".join(cell["source"])).splitlines(keepends=True)
    return book


def main(folder, *files):
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for file in map(pathlib.Path, files):
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            text = json.dumps(hand_out(json.loads(text)), indent=1, ensure_ascii=False) + "\n"
        else:
            text = BOX.sub("", text)
        copy = pathlib.Path(folder) / file.name
        if copy.exists() and copy.samefile(file):
            sys.exit(f"{file} is in {folder} itself: name another folder, since the hand-out would replace the notebook")
        copy.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    main(*sys.argv[1:])
