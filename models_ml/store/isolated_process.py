"""The other side of :mod:`models_ml.store.isolated`: loads a model and answers frames with predictions."""

from __future__ import annotations

import os
import sys

import numpy as np
import pandas as pd
import pyarrow as pa


def main(folder: str) -> None:
    """Answer each Arrow stream on standard input by one on standard output, until the input ends."""
    # What the model prints must not mix with the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(folder)
    while True:
        try:
            with pa.ipc.open_stream(sys.stdin.buffer) as reader:
                frame = reader.read_all().to_pandas()
        except pa.ArrowInvalid:
            return
        predicted = model.predict(frame)
        table = pa.Table.from_pandas(_frame(predicted), preserve_index=False)
        with pa.ipc.new_stream(answers, table.schema) as writer:
            writer.write_table(table)
        answers.flush()


def _frame(predicted: object) -> pd.DataFrame:
    if isinstance(predicted, pd.DataFrame):
        return predicted
    values = np.asarray(predicted, dtype=float)
    columns = values if values.ndim == 2 else values[:, None]
    return pd.DataFrame({f"class_{number}": column for number, column in enumerate(columns.T)})


if __name__ == "__main__":
    main(sys.argv[1])
