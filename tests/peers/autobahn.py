"""autobahn - the Autobahn cases for a WebSocket client, as a server: prints its port and, when the client has asked for
its report, what became of each case, as JSON."""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingserver

SECONDS = 100


async def results(server):
    try:
        return await asyncio.wait_for(server.get_result(), SECONDS)
    except FailureError as failure:
        return failure.results


async def main():
    async with run_fuzzingserver(host="127.0.0.1", port=0) as server:
        print(server.port, flush=True)
        cases = [{"id": case.case_id, "passed": case.passed, "behavior": case.behavior.value,
                  "close": case.behavior_close.value, "why": f"{case.result} {case.result_close}"}
                 for case in await results(server)]
    print(json.dumps(cases))


asyncio.run(main())
