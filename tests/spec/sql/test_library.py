"""The macros of library.sql against the same statistics in plain Python."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import NormalDist

import duckdb
import pytest

from benchbook.history import connect
from benchbook.stats.proportions import wilson
from benchbook.stats.quantiles import interpolated, interval_ranks, needs


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path_factory.mktemp("none")) as con:
        yield con


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_ranks_and_needs(con: duckdb.DuckDBPyConnection, confidence: float) -> None:
    con.execute(f"set variable confidence = {confidence}")
    sizes = [*range(130), 298, 299, 300, 459, 1_000, 2_995, 100_003]
    found = con.execute(
        "select n, q::double, quantile_ranks(n, q), quantile_needs(q), quantile_refused(n, q) "
        "from (select unnest($1) as n), (values (0.1), (0.5), (0.9), (0.95), (0.99), (0.999)) as quantiles (q)",
        [sizes],
    ).fetchall()
    assert len(found) == 6 * len(sizes)
    for n, q, ranks, enough, refused in found:
        wanted = interval_ranks(n, q, confidence)
        assert (ranks and (ranks["low"], ranks["high"])) == wanted, (n, q)
        assert enough == needs(q, confidence)
        assert refused == (None if wanted else f"needs {enough}, has {n}")


def test_normal_quantile(con: duckdb.DuckDBPyConnection) -> None:
    for confidence in (0.0, 0.3, 0.5, 0.84, 0.85, 0.86, 0.9, 0.95, 0.99, 0.999, 1 - 1e-9):
        (z,) = con.execute("select normal_z($1::double)", [confidence]).fetchall()[0]
        assert z == pytest.approx(NormalDist().inv_cdf(0.5 + confidence / 2), rel=1e-8, abs=1e-15)
        if confidence < 0.9999:
            assert z == pytest.approx(NormalDist().inv_cdf(0.5 + confidence / 2), rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson(con: duckdb.DuckDBPyConnection, confidence: float) -> None:
    con.execute(f"set variable confidence = {confidence}")
    for n in (0, 1, 2, 10, 397, 10_000):
        for k in {0, n // 3, n - 1, n} - {-1}:
            share = wilson(k, n, confidence)
            found = con.execute("select wilson_low($1, $2), wilson_high($1, $2)", [k, n]).fetchall()[0]
            assert found == pytest.approx((share.low, share.high), abs=1e-12)


def test_interpolation_is_duckdbs_own(con: duckdb.DuckDBPyConnection) -> None:
    values = [3.0, 1.0, 4.0, 1.5, 9.0, 2.6, 5.0]
    theirs = "(select quantile_cont(x, {q}) from unnest(v) as t (x))"
    both = f"select interpolated(list_sort(v), {{q}}), {theirs} from (select $1 as v)"
    for size in range(1, 8):
        for q in (0.001, 0.25, 0.5, 0.95, 0.99):
            own, theirs = con.execute(both.format(q=q), [values[:size]]).fetchall()[0]
            assert own == pytest.approx(theirs, rel=1e-15)
            assert own == pytest.approx(interpolated(sorted(values[:size]), q), rel=1e-15)


def test_sums_do_not_depend_on_order(con: duckdb.DuckDBPyConnection) -> None:
    values = [1e16, 1.0, -1e16, 3.0, 1e-3]
    answers = {
        con.execute("select steady_sum(v), steady_mean(v) from unnest($1::double[]) t(v)", [order]).fetchall()[0]
        for order in (values, values[::-1], sorted(values))
    }
    assert len(answers) == 1
