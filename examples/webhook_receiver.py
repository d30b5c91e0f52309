"""A receiver of Wirebell's webhooks: verifies each signature, drops repeats, keeps the latest.

pip install aiohttp standardwebhooks
WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py
On the machine that Wirebell runs on, the sink needs `allow_private = true`.
"""

import json
import os

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook(os.environ["WEBHOOK_SECRET"])
seen: set[str] = set()  # in real use: a table with the ids of the last week
latest: dict[str, int] = {}


async def take(request: web.Request) -> web.Response:
    """Answer within 15 s: 2xx is a receipt, 410 says never again, all else is tried again."""
    raw = await request.read()
    try:
        webhook.verify(raw, dict(request.headers))
    except WebhookVerificationError:
        return web.Response(status=401)
    webhook_id, data = request.headers["webhook-id"], json.loads(raw)["data"]
    for story in [data["story"]] if "story" in data else data.get("stories", []):
        if webhook_id not in seen and story["revision"] > latest.get(story["id"], 0):
            latest[story["id"]] = story["revision"]
            print(story["revision"], story["headline"], flush=True)
    seen.add(webhook_id)
    return web.Response(status=204)


app = web.Application()
app.router.add_post("/", take)
if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(os.environ.get("PORT", "9000")), print=None)
