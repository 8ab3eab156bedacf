"""Expectations of our own, beside the package's (which are re-exported here). Imported late: it costs seconds."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations import (
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeInSet,
    ExpectColumnValuesToBeNull,
    ExpectColumnValuesToMatchRegex,
    ExpectCompoundColumnsToBeUnique,
)
from great_expectations.expectations.expectation import ColumnMapExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)

from benchbook.datasets.template import names

FOUL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\ufffd\\ud800-\\udfff]")
"""Characters that no prompt means to hold: controls (tab and line ends apart), U+FFFD, lone surrogates."""


class TemplatesResolvable(ColumnPairMapMetricProvider):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """Column A holds templates, column B the names that are defined for them."""

    condition_metric_name = "column_pair_values.templates_resolvable"
    condition_domain_keys: ClassVar[tuple[str, ...]] = (
        "batch_id", "table", "column_A", "column_B", "row_condition", "condition_parser", "ignore_row_if",
    )  # fmt: skip
    condition_value_keys: ClassVar[tuple[str, ...]] = ()

    @column_pair_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column_A: Any, column_B: Any, **_kwargs: Any) -> Any:  # noqa: N803, N805 - the package's names
        import pandas as pd

        good = [set(names(text)) <= set(known) for text, known in zip(column_A, column_B, strict=True)]
        return pd.Series(good, index=column_A.index, dtype=bool)


class ExpectTemplatesToBeResolvable(ColumnPairMapExpectation):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """Expect every variable that the templates of column A use to be among the names in column B."""

    ignore_row_if: str = "either_value_is_missing"
    map_metric = "column_pair_values.templates_resolvable"
    success_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B", "ignore_row_if", "mostly")
    args_keys: ClassVar[tuple[str, ...]] = ("column_A", "column_B")


class TextClean(ColumnMapMetricProvider):  # type: ignore[misc, no-any-unimported, unused-ignore]
    condition_metric_name = "column_values.text_clean"

    @column_condition_partial(engine=PandasExecutionEngine)
    def _pandas(cls, column: Any, **_kwargs: Any) -> Any:  # noqa: N805
        import pandas as pd

        return pd.Series([FOUL.search(text) is None for text in column], index=column.index, dtype=bool)


class ExpectTextToBeClean(ColumnMapExpectation):  # type: ignore[misc, no-any-unimported, unused-ignore]
    """Expect text without control characters, replacement characters and lone surrogates."""

    map_metric = "column_values.text_clean"


__all__ = [
    "FOUL",
    "ExpectColumnValuesToBeBetween",
    "ExpectColumnValuesToBeInSet",
    "ExpectColumnValuesToBeNull",
    "ExpectColumnValuesToMatchRegex",
    "ExpectCompoundColumnsToBeUnique",
    "ExpectTemplatesToBeResolvable",
    "ExpectTextToBeClean",
]
