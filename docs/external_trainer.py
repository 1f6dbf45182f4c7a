"""An external trainer, declared in the file of MILLRACE_TRAINERS:

    [trainers.xgboost]
    command = ["/srv/venv/bin/python", "/srv/external_trainer.py"]
    parameters.max_depth = { low = 1, high = 16, default = 6, integer = true }
    parameters.eta = { low = 0.001, high = 1.0, default = 0.1, scale = "log" }

It is started in a directory of its own, which holds task.json and both parts, and leaves model.json and metrics.json there.
"""

import json

import pandas as pd
import xgboost

task = json.load(open("task.json"))
objective = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}[task["kind"]]
settings = {"objective": objective, "seed": task["seed"], **task["parameters"]}
if task["quantile"]:
    settings |= {"objective": "reg:quantileerror", "quantile_alpha": task["quantile"]}
if task["kind"] == "multiclass":
    settings["num_class"] = len(task["classes"])


def part(name):
    rows = pd.read_parquet(task[name])
    # Numbers, NaN where one is missing; a category is its code. The columns are those that the model will be asked with.
    return xgboost.DMatrix(rows[task["columns"]].to_numpy(), label=rows[task["label"]])


train, validation, course = part("train"), part("validation"), {}
trees = xgboost.train(
    settings,
    train,
    num_boost_round=500,
    evals=[(validation, "validation")],
    early_stopping_rounds=30,
    evals_result=course,
    verbose_eval=10,
)
trees.save_model("model.json")
json.dump({name: values for name, values in course["validation"].items()}, open("metrics.json", "w"))
