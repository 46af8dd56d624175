"""The database of the recording: answers its statements with its rows and its errors, so that it can be played again.

recording.jsonl holds frames of a genuine Mapepire server that had PostgreSQL behind it. What comes from it here is the
content of rows, columns and error texts; everything around them is made by session.py and so put to the test.
"""
import json
import re

from errors import SqlError
from journal_query import number
from statements import VALUES, Database, Rows, Statement

START = re.compile(r"STARTING_SEQUENCE => (?:(\d+)|CAST\(\? AS DECIMAL\(21,0\)\))\)\) AS T FETCH FIRST (\d+) ROWS ONLY")


def frames(path):
    """(direction, text) of every frame; `meta` ones begin a session."""
    with open(path, encoding="utf-8") as lines:
        return [(line["dir"], line["frame"]) for line in map(json.loads, lines)]


class RecordedDatabase(Database):
    nullable, read_only = 2, False
    parameter_type, parameter_precision, parameter_name = "numeric", 0, "?"

    def __init__(self, system, stats, path):
        super().__init__(system, stats)
        self.columns_of_table, self.rows, self.errors, self.sign_on_text = [], {}, {}, ""
        self.version, self.build_date = None, None
        asked = None
        for direction, text in frames(path):
            if direction == "c2s":
                asked = text
            elif direction == "s2c":
                self.learn(asked, json.loads(text))

    def learn(self, asked, answer):
        """What one answer of the recording tells of the database."""
        for column in answer.get("metadata", {}).get("columns", []):
            if "scale" in column and len(self.columns_of_table) < answer["metadata"]["column_count"]:
                self.columns_of_table.append((column["name"], column["type"], column["display_size"], column["scale"]))
        for row in answer.get("data", []):
            values = row if isinstance(row, list) else list(row.values())
            self.rows[int(values[2])] = values
        self.version, self.build_date = answer.get("version", self.version), answer.get("build_date", self.build_date)
        if "sql_state" in answer:
            request = json.loads(asked)
            if request["type"] == "connect":
                self.sign_on_text = answer["error"]
            elif request["type"] == "sql":
                self.errors[request["sql"]] = (answer["error"], answer["sql_state"], answer["sql_rc"])

    def sign_on_error(self, refusal, user):
        return self.sign_on_text

    def job_name(self, number):
        return "??????/??????/??????"  # what the genuine server says where the database is not Db2 for i

    def prepare(self, sql):
        if sql in self.errors and sql != VALUES:
            raise SqlError(*self.errors[sql])
        found = START.search(sql)
        if not found:
            return super().prepare(sql)
        statement = Statement("RECORDED", self.columns_of_table, sql.count("?"))
        statement.start, statement.limit = found[1], int(found[2])
        return statement

    def run(self, statement, parameters, user):
        if statement.name != "RECORDED":
            return super().run(statement, parameters, user)
        start = number(statement.start or parameters[0])
        return Rows(statement.names, [self.rows[at] for at in sorted(self.rows) if at >= start][:statement.limit])
