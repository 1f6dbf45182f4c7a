"""Asks exported models with onnxruntime and holds its answers against those of the models themselves.

    check.py FOLDER

The folder has a NAME.onnx and a NAME.json for each model: the rows that it was asked, what it answered, and how far another answer may be
from that, relative to answers beyond 1. Every model is asked all rows at once, a few at a time, and one by one. A line for each
model says how far apart answers were at most and how many had the same bits. The exit code is 1 where a model is further off than
it may be, answers with another label, or is no valid file, and where there is none.

Needs numpy and onnxruntime, and looks into the files with onnx where that is installed.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime

try:
    import onnx
except ImportError:
    onnx = None


def column(values, kind):
    """A column of shape [rows, 1]; null is a missing number."""
    if kind == "double":
        return numpy.array([[numpy.nan if value is None else value] for value in values], dtype=numpy.float64)
    return numpy.array([[value] for value in values], dtype=object)


def asked(session, inputs, size, rows):
    """Numbers and labels for the first `rows` rows, `size` at a time."""
    numbers, labels = [], []
    for start in range(0, rows, size):
        feed = {name: values[start : min(start + size, rows)] for name, values in inputs.items()}
        found = session.run(None, feed)
        numbers.append(found[0])
        labels += list(found[1]) if len(found) > 1 else []
    return numpy.concatenate(numbers), labels


def check(path):
    """What is wrong with one model, and how far it was off."""
    case = json.loads(path.read_text(encoding="utf-8"))
    file = path.with_suffix(".onnx")
    if onnx is not None:
        onnx.checker.check_model(str(file), full_check=True)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    inputs = {one["name"]: column(one["values"], one["tensor"]) for one in case["inputs"]}
    expected, labels = numpy.array(case["numbers"], dtype=numpy.float64), case["labels"]
    wrong, furthest, same, of = [], 0.0, 0, 0
    for size, rows in ((len(expected), len(expected)), (7, min(70, len(expected))), (1, min(40, len(expected)))):
        found, said = asked(session, inputs, size, rows)
        wanted = expected[:rows]
        if found.dtype != numpy.float64 or found.shape != wanted.shape:
            return [f"{found.dtype} {found.shape} instead of {wanted.shape}"], 0.0, 0, 0
        off = numpy.abs(found - wanted) / numpy.maximum(numpy.abs(wanted), 1.0)
        furthest = max(furthest, float(numpy.nan_to_num(off, nan=numpy.inf).max()))
        same, of = same + int((found == wanted).sum()), of + wanted.size
        if labels is not None and said != labels[:rows]:
            rows_wrong = [row for row in range(rows) if said[row] != labels[row]]
            wrong.append(f"{size} at a time, other labels in rows {rows_wrong[:10]}")
    if not furthest <= case["tolerance"]:
        wrong.append(f"{furthest} apart, at most {case['tolerance']} is allowed")
    return wrong, furthest, same, of


def main():
    paths = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    failed = not paths
    for path in paths:
        wrong, furthest, same, of = check(path)
        failed = failed or bool(wrong)
        print(f"{path.stem}: at most {furthest:.3g} apart, {same} of {of} with the same bits", *wrong, sep="; ")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
