"""Makes the models of this directory, and what they answer where they were made.

Reads what an external trainer is given for the sales of `src/fixture.rs` (400 rows), a directory <kind>-<inputs> each:

    python make.py DIRECTORY

Made with scikit-learn 1.9.1, skl2onnx 1.20.0, onnx 1.23.2, onnxruntime 1.32.0 and xgboost 3.2.0.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import xgboost
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

given = Path(sys.argv[1])
here = Path(__file__).parent
OPSET = {"": 17, "ai.onnx.ml": 3}
answers = {}


def part(kind, inputs, name):
    frame = pd.read_parquet(given / f"{kind}-{inputs}" / f"{name}.parquet")
    return frame.drop(columns="label").to_numpy(np.float32), frame["label"].to_numpy()


def keep(name, answer):
    answers[name] = np.asarray(answer, dtype=float).round(7).tolist()


for kind, model in [
    ("binary", MLPClassifier((6,), max_iter=300, random_state=1)),
    ("multiclass", MLPClassifier((6,), max_iter=300, random_state=1)),
    ("regression", MLPRegressor(hidden_layer_sizes=(6,), max_iter=2000, random_state=1)),
]:
    rows, labels = part(kind, "terms", "train")
    model.fit(rows, labels)
    options = {} if kind == "regression" else {"options": {id(model): {"zipmap": False}}}
    content = to_onnx(model, rows[:1], target_opset=OPSET, **options).SerializeToString()
    (here / f"{kind}.onnx").write_bytes(content)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    asked = part(kind, "terms", "validation")[0]
    answer = session.run(None, {session.get_inputs()[0].name: asked})[-1]
    keep(f"{kind}.onnx", answer[:, 1] if kind == "binary" else answer)

rows, labels = part("binary", "terms", "train")
scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
content = to_onnx(scaled, rows[:1], target_opset=OPSET, options={id(scaled): {"zipmap": False}})
(here / "scaler.onnx").write_bytes(content.SerializeToString())

for kind, objective in [("binary", "binary:logistic"), ("multiclass", "multi:softprob"), ("regression", "reg:squarederror")]:
    rows, labels = part(kind, "columns", "train")
    settings = {"objective": objective, "max_depth": 3, "eta": 0.3, "seed": 1}
    if kind == "multiclass":
        settings["num_class"] = 3
    trees = xgboost.train(settings, xgboost.DMatrix(rows, labels), 10)
    trees.save_model(here / f"{kind}.json")
    keep(f"{kind}.json", trees.predict(xgboost.DMatrix(part(kind, "columns", "validation")[0])))

(here / "answers.json").write_text(json.dumps(answers))
