package djangotest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/belleville/belleville/internal/djangotest"
	"github.com/belleville/belleville/internal/parts"
)

// chatUnderChannels connects two visitors to the site's ASGI application, as an ASGI server would, and chats.
const chatUnderChannels = `
import asyncio
import json
from asgiref.testing import ApplicationCommunicator
from mysite.asgi import application

async def connect(cookie):
    headers = [(b"cookie", b"sessionid=" + cookie), (b"origin", b"http://127.0.0.1:8000")]
    visitor = ApplicationCommunicator(application, {
        "type": "websocket", "path": "/ws/chat/lobby/", "query_string": b"", "headers": headers, "subprotocols": [],
    })
    await visitor.send_input({"type": "websocket.connect"})
    return visitor, (await visitor.receive_output(timeout=20))["type"]

async def main():
    stranger, answer = await connect(b"unknown-" * 4)
    print("a stranger:", answer)
    one, answer = await connect(b"%[1]s")
    print("alice:", answer)
    other, answer = await connect(b"%[1]s")
    print("alice again:", answer)
    await one.send_input({"type": "websocket.receive", "text": json.dumps({"message": "hello"})})
    for visitor in one, other:
        print("heard:", (await visitor.receive_output(timeout=20))["text"])
    for visitor in stranger, one, other:
        await visitor.send_input({"type": "websocket.disconnect", "code": 1000})
        await visitor.wait(timeout=20)

asyncio.run(main())
`

// TestSiteUnderChannels shows that the example's Python consumer does what the relay route of its belleville.toml does.
func TestSiteUnderChannels(t *testing.T) {
	site := djangotest.Start(t, sqliteURL(t), djangotest.Config{})
	if site.Shell(t, "from django.conf import settings; print(settings.HAS_CHANNELS)") != "True\n" {
		parts.Need(t, "Channels", fmt.Errorf("%w: Debian's package python3-django-channels", parts.ErrMissing))
	}
	cookie := site.Login(t, djangotest.Alice, djangotest.Password)
	want := strings.TrimLeft(`
a stranger: websocket.close
alice: websocket.accept
alice again: websocket.accept
heard: {"message": "hello"}
heard: {"message": "hello"}
`, "\n")
	if got := site.Shell(t, fmt.Sprintf(chatUnderChannels, cookie)); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}
