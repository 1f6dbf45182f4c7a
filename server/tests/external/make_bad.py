"""Makes models of a thing that do harm: `unsure.onnx` answers with no number where its `x` is above 200, `three.onnx` with three numbers,
`ragged.onnx` with as many as its row has that are not zero, and `huge.onnx` only when it has filled eight gigabytes.

Made with onnx 1.23.2.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

WEIGHTS, BIAS = np.array([[0.1], [0.02]]), -7.0


def keep(name, nodes, constants, shape):
    row = helper.make_tensor_value_info("row", TensorProto.FLOAT, [None, 2])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, shape)
    known = [numpy_helper.from_array(np.asarray(value, kind), key) for key, (value, kind) in constants.items()]
    graph = helper.make_graph(nodes, name, [row], [answer], known)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    (Path(__file__).parent / f"{name}.onnx").write_bytes(model.SerializeToString())


keep(
    "unsure",
    [
        helper.make_node("Gemm", ["row", "weights", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
        helper.make_node("Gather", ["row", "first"], ["x"], axis=1),
        helper.make_node("Sub", ["most", "x"], ["room"]),
        helper.make_node("Sqrt", ["room"], ["root"]),
        helper.make_node("Div", ["root", "root"], ["one"]),
        helper.make_node("Mul", ["score", "one"], ["answer"]),
    ],
    {
        "weights": (WEIGHTS, np.float32),
        "bias": ([BIAS], np.float32),
        "first": ([0], np.int64),
        "most": ([200.0], np.float32),
    },
    [None, 1],
)
keep(
    "three",
    [helper.make_node("Gemm", ["row", "weights", "bias"], ["logits"]), helper.make_node("Softmax", ["logits"], ["answer"])],
    {"weights": (np.repeat(WEIGHTS, 3, axis=1), np.float32), "bias": ([BIAS] * 3, np.float32)},
    [None, 3],
)
keep(
    "ragged",
    [helper.make_node("NonZero", ["row"], ["places"]), helper.make_node("Cast", ["places"], ["answer"], to=TensorProto.FLOAT)],
    {},
    [2, None],
)
keep(
    "huge",
    [
        helper.make_node("Gemm", ["row", "weights", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["score"]),
        helper.make_node("Expand", ["score", "many"], ["scores"]),
        helper.make_node("Exp", ["scores"], ["spread"]),
        helper.make_node("ReduceMax", ["spread"], ["most"], axes=[1]),
        helper.make_node("Log", ["most"], ["answer"]),
    ],
    {
        "weights": (WEIGHTS, np.float32),
        "bias": ([BIAS], np.float32),
        "many": ([1, 2_000_000_000], np.int64),
    },
    [None, 1],
)
