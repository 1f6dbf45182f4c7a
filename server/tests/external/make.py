"""Makes `things.onnx`: a small network on the two numbers of a thing (`test-support/src/data.rs`).

Made with scikit-learn 1.9.1, skl2onnx 1.20.0 and onnx 1.23.2.
"""

from pathlib import Path

import numpy as np
from skl2onnx import to_onnx
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

numbers = np.arange(3000, dtype=np.uint64)
x = (numbers * 2654435761 % 2**32 % 1000) / 10
y = (numbers * 40503 % 2**32 % 977) / 9.77
big = x + 0.2 * y + (numbers * 97 % 401) / 10 > 80
rows = np.column_stack([x, y]).astype(np.float32)

# The scaling goes into the first layer: the operator for it is not known everywhere.
scale = StandardScaler().fit(rows)
network = MLPClassifier((4,), max_iter=500, random_state=1).fit(scale.transform(rows), big.astype(int))
network.coefs_[0] = network.coefs_[0] / scale.scale_[:, None]
network.intercepts_[0] = network.intercepts_[0] - scale.mean_ @ network.coefs_[0]
content = to_onnx(network, rows[:1], target_opset={"": 17, "ai.onnx.ml": 3}, options={id(network): {"zipmap": False}})
(Path(__file__).parent / "things.onnx").write_bytes(content.SerializeToString())
