"""JSONata as Step Functions speaks it."""

from __future__ import annotations

import pytest

from embedded.states.failures import ExpressionError
from embedded.states.jsonata import parse
from tests.embedded.machines import Bench, a_pass, evaluate, output


def test_null_is_a_value() -> None:
    assert evaluate('{"v": $states.input.a}', {"a": None}) == {"v": None}
    assert evaluate("$states.input.a", {"a": None}) is None


NULLS = {"l": [None, 1, None], "o": {"a": None, "b": 1}, "n": None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$count($i.l[$ = null])", 2),
        ("$map($i.l, function($v) { $type($v) })", ["null", "number", "null"]),
        ("$filter($i.l, function($v) { $v != null })", 1),
        ("$each($i.o, function($v, $k) { $k & $type($v) })", ["anull", "bnumber"]),
        ("$sift($i.o, function($v) { $v = null })", {"a": None}),
        ("$i.o = {'a': null, 'b': 1}", True),
        ("null in $i.l", True),
        ("$exists($i.n)", True),
        ("$type($i.n)", "null"),
        ("$i.n ? 1 : 2", 2),
        ("[$i.n, $i.l[0]]", [None, None]),
        ("$string($i.o)", '{"a":null,"b":1}'),
        ("$parse('[null]')[$ = null]", None),
    ],
)
def test_null_stays_null_inside_functions_predicates_and_comparisons(
    expression: str, expected: object
) -> None:
    for source in ("$states.input", "$states.context.Execution.Input"):
        assert evaluate(f"($i := {source}; {expression})", NULLS) == expected


def test_a_null_in_a_variable_stays_null() -> None:
    bench = Bench()
    states = {
        "Set": a_pass(Assign={"list": [None, {"a": None}]}, Next="Read"),
        "Read": a_pass(Output="{% $map($list, function($v) { $v = null }) %}"),
    }
    assert output(bench.run(states)) == [True, False]


@pytest.mark.parametrize(
    "expression",
    [
        "$append($i.l, [9])",
        "$sort($i.l, function($a, $b) { true })",
        "$reverse($i.l)",
        "$merge([$i.o, {'z': 1}])",
        "$i ~> |o|{'z': 1}, ['b']|",
        "$shuffle($i.l)",
        "$i.l^($)",
    ],
)
def test_an_expression_changes_nothing_that_it_sees(expression: str) -> None:
    bench = Bench()
    value = {"l": [3, 1, 2], "o": {"a": 1, "b": 2}}
    states = {
        "Try": a_pass(
            Assign={"tried": f"{{% ($i := $states.input; {expression}) %}}"}, Next="Read"
        ),
        "Read": a_pass(Output=["{% $states.input %}", "{% $states.context.Execution.Input %}"]),
    }
    assert output(bench.run(states, value)) == [value, value]


def test_an_undefined_member_is_left_out_of_an_object_that_jsonata_builds() -> None:
    assert evaluate('{"v": $states.input.absent}') == {}


@pytest.mark.parametrize("expression", ["$states.input.absent", "[1,2][5]", "$lookup({}, 'a')"])
def test_an_expression_that_returns_nothing_fails_the_state(expression: str) -> None:
    bench = Bench()
    execution = bench.run({"Shape": a_pass(Output={"a": ["{% 1 %}", f"{{% {expression} %}}"]})})
    assert execution.error == "States.QueryEvaluationError"
    assert execution.cause == (
        "An error occurred while executing the state 'Shape' (entered at the event id #2). The "
        f"JSONata expression '{expression}' specified for the field 'Output/a[1]' returned nothing "
        "(undefined)."
    )


def test_a_failing_expression_names_what_went_wrong() -> None:
    bench = Bench()
    execution = bench.run({"Shape": a_pass(Output="{% 1 + 'a' %}")})
    assert execution.error == "States.QueryEvaluationError"
    assert "must evaluate to a number" in (execution.cause or "")


def test_a_function_is_no_json_value() -> None:
    bench = Bench()
    execution = bench.run({"Shape": a_pass(Output="{% $sum %}")})
    assert execution.error == "States.QueryEvaluationError"


def test_whole_numbers_have_no_fraction() -> None:
    value = evaluate("10 / 2")
    assert value == 5
    assert isinstance(value, int)


def test_expressions_are_found_however_deep_they_stand() -> None:
    bench = Bench()
    shape = {"a": [{"b": "{% $states.input.x %}"}, "plain", 1, None], "$c": "not {% one %}."}
    execution = bench.run({"Shape": a_pass(Output=shape)}, {"x": [1, {"y": None}]})
    assert output(execution) == {
        "a": [{"b": [1, {"y": None}]}, "plain", 1, None],
        "$c": "not {% one %}.",
    }


# -- the shortcut for plain paths ------------------------------------------------------------------

DOCUMENT = {
    "a": {"b": {"c": 1, "n": None, "e": [], "one": [7], "o": {}}},
    "l": [{"x": 1}, {"x": [2, 3]}, {"y": 4}],
    "s": "text",
}


@pytest.mark.parametrize(
    "path",
    ["", ".a", ".a.b.c", ".a.b.n", ".a.b.e", ".a.b.one", ".a.b.o", ".l", ".l.x", ".l.y", ".s"],
)
def test_a_plain_path_gives_what_the_library_gives(path: str) -> None:
    # Parentheses keep the expression from being recognised as a plain path.
    assert evaluate(f"$states.input{path}", DOCUMENT) == evaluate(
        f"($states.input{path})", DOCUMENT
    )


@pytest.mark.parametrize("path", [".zz", ".a.zz", ".s.zz", ".a.b.n.zz", ".l.zz", ".a.b.e.zz"])
def test_a_plain_path_that_leads_nowhere_is_undefined_as_in_the_library(path: str) -> None:
    for expression in (f"$states.input{path}", f"($states.input{path})"):
        bench = Bench()
        execution = bench.run({"Shape": a_pass(Output=f"{{% {expression} %}}")}, DOCUMENT)
        assert execution.error == "States.QueryEvaluationError", expression


# -- functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("$partition([1,2,3,4,5], 2)", [[1, 2], [3, 4], [5]]),
        ("$partition([1,2,3], 2.9)", [[1, 2], [3]]),
        ("$range(0, 10, 2)", [0, 2, 4, 6, 8, 10]),
        ("$range(5, 0, -2)", [5, 3, 1]),
        ("$range(-1.7, 2, 1)", [-1, 0, 1, 2]),
        ("$range(3, 3, 1)", 3),
        ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
        ("$length($hash('a', 'SHA-1'))", 40),
        ("$length($hash('a', 'SHA-256'))", 64),
        ("$length($hash('a', 'SHA-384'))", 96),
        ("$length($hash('a', 'SHA-512'))", 128),
        ("$parse('{\"a\": [1, null]}').a", [1, None]),
        ("$parse('null')", None),
        ("$random(7) = $random(7)", True),
        ("$exists($partition([], 2))", False),
        ("$exists($partition([1], 0))", False),
        ("$exists($range(0, 3))", False),
        ("$exists($range(0, 3, -1))", False),
        ("$exists($hash('a'))", False),
    ],
)
def test_the_functions_of_step_functions_do_what_aws_documents(
    expression: str, expected: object
) -> None:
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "$hash('a', 'CRC')",
        "$hash(1, 'MD5')",
        "$parse('{')",
        "$parse(1)",
        "$partition('a', 1)",
        "$partition([1], -1)",
        "$range('a', 1, 1)",
        "$range(1, 999999, 1)",
        "$random('a')",
        "1/0",
    ],
)
def test_wrong_arguments_fail_the_evaluation(expression: str) -> None:
    bench = Bench()
    execution = bench.run({"Shape": a_pass(Output=f"{{% {expression} %}}")})
    assert execution.error == "States.QueryEvaluationError"


def test_time_is_the_world_s() -> None:
    assert evaluate("$now()") == "2026-01-05T09:00:00.000Z"
    assert evaluate("$millis()") == 1_767_603_600_000
    assert evaluate("$fromMillis($millis() + 90000)") == "2026-01-05T09:01:30.000Z"
    assert evaluate("$now('[Y]/[M]')") == "2026/1"


@pytest.mark.parametrize("expression", ["$random()", "$uuid()", "$shuffle([1..20])"])
def test_chance_repeats_with_the_world_s_seed(expression: str) -> None:
    assert evaluate(expression, seed=1) == evaluate(expression, seed=1)
    assert evaluate(expression, seed=1) != evaluate(expression, seed=2)


def test_eval_under_another_name_fails() -> None:
    bench = Bench()
    execution = bench.run({"Shape": a_pass(Output="{% ($f := $lookup; $f({'a': 1}, 'b')) %}")})
    assert execution.error == "States.QueryEvaluationError"


# -- references ------------------------------------------------------------------------------------


def test_references_tell_outside_names_from_an_expression_s_own() -> None:
    expression = parse(
        "($own := $count($given); $map($list, function($v) { $v + $own + $other })"
        "[$ > 1] ~> $join(','))"
    )
    assert expression.references.variables == {"given", "list", "other"}


def test_references_tell_the_members_of_states() -> None:
    expression = parse("$states.result.Payload & $states.context.Task.Token & $states.input[0]")
    assert expression.references.states == {"result", "context.Task", "input"}


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        ("phone", "phone"),
        ("{'a': phone.number}", "phone"),
        ("$map([1], function($x) { phone })", "phone"),
        ("*", "*"),
        ("**.a", "**"),
        ("$", "$"),
        ("$$.a", "$$"),
    ],
)
def test_a_path_that_starts_from_nowhere_is_found(expression: str, what: str) -> None:
    (problem,) = parse(expression).references.unsupported
    assert f"'{what}'" in problem


def test_names_in_predicates_steps_and_groups_are_no_paths_from_nowhere() -> None:
    expression = parse("$states.input.items[value > 3].{'k': name}^(k){k: $}")
    assert expression.references.unsupported == ()


def test_what_does_not_parse_is_refused() -> None:
    with pytest.raises(ExpressionError):
        parse("a[1,2)")
