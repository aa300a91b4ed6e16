"""An ONNX graph written node by node from arrays; no tracing, no network code is run.

Operator set 17 and tree operators 3: what runtimes have understood since 2022.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

OPSET, TREES, TREES_OPSET, IR = 17, "ai.onnx.ml", 3, 8


class Graph:
    """Nodes and constants that are gathered, and in the end one model.

    >>> graph = Graph()
    >>> doubled = graph.add("Mul", "x", graph.constant(np.float32([2])))
    >>> model = graph.finish({"x": 3}, doubled, "y", (3,), {"who": "a test"})
    >>> [node.op_type for node in model.graph.node]
    ['Mul', 'Identity']
    """

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def constant(self, array: np.ndarray) -> str:
        """Return the name under which an array is part of the model."""
        from onnx import numpy_helper

        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output, and return that output's name."""
        from onnx import helper

        name = f"n{len(self._nodes)}"
        made = helper.make_node(operator, list(inputs), [name], domain=domain, **attributes)
        self._nodes.append(made)
        return name

    def as_double(self, name: str) -> str:
        """Return a value as float64."""
        from onnx import TensorProto

        return self.add("Cast", name, to=TensorProto.DOUBLE)

    def finish(
        self,
        inputs: Mapping[str, int],
        result: str,
        output: str,
        shape: tuple[int | str, ...],
        facts: Mapping[str, str],
    ) -> Any:
        """Return the model, checked by ONNX's own checker.

        `inputs`: float32 (rows, features) by name, with their number of features; `output` is the
        name of the result, float64 (rows, *shape).
        """
        import onnx
        from onnx import TensorProto, helper

        def describe(name: str, kind: int, *rest: int | str) -> Any:
            return helper.make_tensor_value_info(name, kind, ["rows", *rest])

        nodes = [*self._nodes, helper.make_node("Identity", [result], [output])]
        graph = helper.make_graph(
            nodes,
            "medcore",
            [describe(name, TensorProto.FLOAT, count) for name, count in inputs.items()],
            [describe(output, TensorProto.DOUBLE, *shape)],
            self._constants,
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(TREES, TREES_OPSET)]
        model = helper.make_model(
            graph, producer_name="medcore", opset_imports=opsets, ir_version=IR
        )
        helper.set_model_props(model, dict(facts))
        onnx.checker.check_model(model)
        return model
