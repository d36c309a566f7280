// The log of a room.

import { dress } from "./faces.js";

const mostItems = 500; // older ones are taken out of the page
const sameBreath = 120000; // messages of one person within so many milliseconds stand together

export class Log {
  #box;
  #list;
  #empty;
  #newer;
  #me;
  #known = new Set(); // the IDs of what is shown: after a reconnect the server tells some again
  #following = true; // the end is in sight, and is to stay so

  // box is the scrolling element; me is who reads.
  constructor(box, me) {
    this.#box = box;
    this.#me = me;
    this.#list = box.querySelector("ol");
    this.#empty = box.querySelector(".empty");
    this.#newer = box.parentElement.querySelector(".newer");
    this.#newer.addEventListener("click", () => this.#toEnd());
    box.addEventListener("scroll", () => {
      this.#following = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      if (this.#following) this.#newer.hidden = true;
    });
    new ResizeObserver(() => this.#following && this.#toEnd()).observe(box);
  }

  // fill adds what was said before, without reading it all out.
  fill(history) {
    this.#box.ariaBusy = "true";
    for (const message of history) this.#insert(message);
    this.#empty.hidden = this.#known.size > 0;
    this.#box.ariaBusy = "false";
    if (this.#following) this.#toEnd();
  }

  // add adds one message.
  add(message) {
    if (!this.#insert(message)) return;
    this.#empty.hidden = true;
    this.#show(this.#following || message.from === this.#me);
  }

  // note adds a line about the room.
  note(words) {
    const item = document.createElement("li");
    item.className = "event";
    item.textContent = words;
    this.#list.append(item);
    this.#trim();
    this.#show(this.#following);
  }

  #show(follow) {
    if (follow) this.#toEnd();
    else this.#newer.hidden = false;
  }

  #toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#following = true;
    this.#newer.hidden = true;
  }

  // insert puts a message where its ID belongs, and reports false if it was there already.
  #insert(message) {
    if (this.#known.has(message.id)) return false;
    this.#known.add(message.id);
    let before = this.#list.lastElementChild;
    while (before && Number(before.dataset.id) > message.id) before = before.previousElementSibling;
    const item = this.#item(message, before);
    if (before) before.after(item);
    else this.#list.prepend(item);
    this.#trim();
    return true;
  }

  #trim() {
    while (this.#list.children.length > mostItems) {
      const oldest = this.#list.firstElementChild;
      this.#known.delete(Number(oldest.dataset.id));
      oldest.remove();
    }
  }

  #item(message, before) {
    const item = document.createElement("li");
    const mine = message.from === this.#me;
    item.className = mine ? "message mine" : "message";
    item.dataset.id = message.id;
    item.dataset.from = message.from;
    item.dataset.at = message.at;
    if (before?.dataset.from === message.from && message.at - before.dataset.at < sameBreath) {
      item.classList.add("same");
    }

    const face = document.createElement("span");
    dress(face, message.from);
    face.ariaHidden = "true";
    const from = document.createElement("b");
    from.textContent = mine ? "You" : message.from;
    const at = document.createElement("time");
    const moment = new Date(message.at);
    at.dateTime = moment.toISOString();
    at.textContent = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const head = document.createElement("span");
    head.className = "by";
    head.append(from, " ", at);
    const words = document.createElement("span");
    words.className = "words";
    words.dir = "auto";
    words.textContent = message.text;
    const body = document.createElement("div");
    body.append(head, words);
    item.append(face, body);
    return item;
  }
}
