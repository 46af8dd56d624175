"""What was asked of the stand-in: counted for the tests that judge the agent by it."""
import time
from collections import Counter


class Stats:
    def __init__(self):
        self.reset()

    def reset(self):
        self.statements, self.requests = Counter(), Counter()
        self.refused_texts, self.violation_texts = [], []
        self.sign_ons, self.sign_ons_failed, self.upgrades_refused, self.connections = 0, 0, 0, 0
        self.page_at, self.page_gap, self.chain_at, self.chain_gap = None, None, None, None
        self.rows = self.bytes = 0
        self.since = time.monotonic()

    def ran(self, name, at):
        self.statements[name] += 1
        if name in ("PAGE", "CHAIN"):
            at_name, gap_name = f"{name.lower()}_at", f"{name.lower()}_gap"
            before, gap = getattr(self, at_name), getattr(self, gap_name)
            # By when they were asked: one that was held up may run behind one that was asked later.
            if before is not None and (gap is None or abs(at - before) < gap):
                setattr(self, gap_name, abs(at - before))
            setattr(self, at_name, max(at, before or at))

    def refused(self, text):
        self.refused_texts.append(text)

    def violation(self, text):
        self.violation_texts.append(text)

    def report(self):
        return {"statements": dict(self.statements), "requests": dict(self.requests), "rows": self.rows, "bytes": self.bytes,
                "refused": len(self.refused_texts), "refused_statements": self.refused_texts[-20:],
                "violations": len(self.violation_texts), "violation_statements": self.violation_texts[-20:],
                "logins": self.sign_ons, "logins_failed": self.sign_ons_failed, "upgrades_refused": self.upgrades_refused,
                "connections": self.connections, "min_page_interval": self.page_gap, "min_chain_interval": self.chain_gap,
                "seconds": time.monotonic() - self.since}
