"""What an administrator would write to get audit entries off a system: asks by mapepire-python, and prints a line for each row.
Nothing is decoded, nothing survives an error. 500 rows at a time: its frames may have a MiB.

    naive_live.py PORT CA STATEMENT PARAMETER...
"""
import sys

from mapepire_python.client.sql_job import SQLJob
from mapepire_python.data_types import DaemonServer, QueryOptions

port, ca, statement, *parameters = sys.argv[1:]
with SQLJob(DaemonServer(host="localhost", port=int(port), user="AUDITOR", password="secret", ca=open(ca).read())) as job:
    query = job.query(statement, QueryOptions(isTerseResults=True, parameters=parameters))
    answer = query.run(rows_to_fetch=500)
    while True:
        for row in answer.data:
            print("<110>QAUDJRN:", " ".join(str(value) for value in row if value is not None))
        if answer.is_done:
            break
        answer = query.fetch_more(500)
