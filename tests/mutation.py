"""How many mutants of each module the tests killed, as a Markdown table.

``mutmut run; mutmut results --all true | python tests/mutation.py``
"""

import re
import sys
from collections import Counter

KILLED = ("killed", "timeout", "segfault")


def table(results):
    """Return the table of what ``mutmut results --all true`` prints."""
    found = re.findall(r"xcluster\.([\w.]+)\.x\S+__mutmut_\d+: (.+)", results)
    counts = {}
    for module, status in found:
        if status != "not checked":
            counts.setdefault(module.replace(".", "/") + ".py", Counter())[status] += 1
    counts = dict(sorted(counts.items()))
    counts["all"] = sum(counts.values(), Counter())
    lines = ["| module | mutants | killed | survived | killed, % |", "|---|---|---|---|---|"]
    for module, count in counts.items():
        killed = sum(count[status] for status in KILLED)
        share = 100 * killed / count.total()
        lines.append(
            f"| `{module}` | {count.total()} | {killed} | {count.total() - killed} | {share:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(sys.stdin.read()) + "\n")
