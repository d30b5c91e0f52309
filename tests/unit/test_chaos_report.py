"""The page of the chaos suite shows what the run counted, failures too."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tests.chaos_report import page, read_rows

REPORT = """<testsuites><testsuite>
<testcase name="test_nothing_is_lost[a]" time="1.5"><properties>
<property name="owed" value="10"/><property name="lost" value="0"/>
<property name="doubled" value="1"/><property name="faults" value="3"/>
<property name="fresh" value="0.5,12.0"/></properties></testcase>
<testcase name="test_nothing_is_lost[b]" time="0.5"><properties>
<property name="owed" value="20"/><property name="lost" value="2"/></properties>
<failure message="no"/></testcase>
<testcase name="test_a_frozen_worker" time="0.1"/>
<testcase name="test_on_a_cluster" time="0"><skipped/></testcase>
</testsuite></testsuites>"""


def test_cases_of_one_test_are_one_row_and_failures_show() -> None:
    rows = read_rows(ET.fromstring(REPORT))
    assert [(row.name, row.cases, row.passed, row.skipped) for row in rows] == [
        ("nothing is lost", 2, 1, 0),
        ("a frozen worker", 1, 1, 0),
        ("on a cluster", 1, 0, 1),
    ]
    text = page(rows, 2, "a machine")
    assert "1 CASES FAILED" in text
    owed = "Owed 30 messages, choices and articles under 3 faults and kills"
    assert f"{owed}: **lost 2, doubled 1**" in text
    assert "in 0 minutes of tests" in text
    assert "was in Slack within 10 s 1 times; median 6.2 s, longest 12.0 s" in text
    assert "| nothing is lost | 1 of 2 | 30 | 2 | 1 | 3 | 6.2, 12.0 | 2 |" in text
    assert "| a frozen worker | 1 of 1 |  |  |  |  |  | 0 |" in text
    assert "on a cluster" not in text
