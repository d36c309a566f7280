// A WebSocket that comes back by itself.

const firstDelay = 500; // milliseconds
const longestDelay = 15000;
const patience = 10000; // for an attempt to get anywhere
const stableAfter = 5000; // a connection that held for so long starts the back-off anew

const sessionEnded = 4401; // the server's close code after a logout

// A Reconnecting is a WebSocket to url. Its owner is told of each change by an event:
//
//   connecting           an attempt has begun
//   open                 messages come and go
//   waiting  {until}     the connection is lost, the next attempt begins at that time
//   ended    {reason}    the server knows us no longer, and may say why; there will be no further attempt
//   message  {data}      a message has come
//
// allowed is asked before each further attempt, as a script does not see why a handshake was refused: it
// resolves to false if the visitor is logged out, and rejects if the server cannot be reached.
export class Reconnecting extends EventTarget {
  #url;
  #allowed;
  #socket = null;
  #timer = 0;
  #failures = 0;

  constructor(url, allowed) {
    super();
    this.#url = url;
    this.#allowed = allowed;
    addEventListener("online", () => this.retry());
    addEventListener("pageshow", (e) => e.persisted && this.retry());
    document.addEventListener("visibilitychange", () => document.hidden || this.retry());
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  // connect makes the first attempt.
  connect() {
    this.#tell("connecting");
    const socket = new WebSocket(this.#url);
    const slow = setTimeout(() => socket.close(), patience);
    let stable = 0;
    this.#socket = socket;
    socket.onopen = () => {
      clearTimeout(slow);
      stable = setTimeout(() => (this.#failures = 0), stableAfter);
      this.#tell("open");
    };
    socket.onmessage = (e) => this.#tell("message", { data: e.data });
    socket.onclose = (e) => {
      clearTimeout(slow);
      clearTimeout(stable);
      this.#socket = null;
      if (e.code === sessionEnded) this.#tell("ended", { reason: e.reason });
      else this.#wait();
    };
  }

  // send sends a message, and reports whether there was a connection to send it on.
  send(text) {
    if (!this.isOpen) return false;
    this.#socket.send(text);
    return true;
  }

  // drop closes the connection, as a bad network would.
  drop() {
    this.#socket?.close();
  }

  // retry makes the next attempt now, if one is being waited for.
  retry() {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#attempt();
  }

  // wait puts the next attempt off: twice as long each time, and by chance a bit less, so that the clients of
  // a server that restarts do not all come back at the same moment.
  #wait() {
    const delay = Math.min(longestDelay, firstDelay * 2 ** this.#failures++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#attempt(), delay);
    this.#tell("waiting", { until: Date.now() + delay });
  }

  async #attempt() {
    this.#timer = 0;
    this.#tell("connecting");
    try {
      if (await this.#allowed()) this.connect();
      else this.#tell("ended", { reason: "" });
    } catch {
      this.#wait();
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
