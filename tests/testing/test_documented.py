"""The stages and the session of docs/writing-a-stage.md pass their suites, or fail as it says."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "writing-a-stage.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)

documented = {"__name__": __name__}
exec("from strongroom import *", documented)
for block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
    if re.search("^class ", block, re.MULTILINE):
        exec(compile(block, str(PAGE), "exec"), documented)

TestSafeLiteral = documented["TestSafeLiteral"]
TestXz = documented["TestXz"]
TestChaCha = documented["TestChaCha"]
TestMySession = documented["TestMySession"]
Unsafe = documented["TestLiteral"]


def test_the_first_serializer_fails_the_five_tests_that_the_page_speaks_of():
    failed = []
    for test, values in {
        Unsafe.test_keeps: ["NaN and the infinities", "lone surrogates", "wide integers"],
        Unsafe.test_keeps_500_levels_of_nesting: ["list", "dict", "both"],
    }.items():
        for value in values:
            try:
                test(Unsafe(), value)
            except documented["PayloadError"]:
                failed.append(value)
    assert failed == ["NaN and the infinities", "list", "dict", "both"]
