// Talks to an echo with the browser's WebSocket, and returns what came of it as JSON.
(async (url) => {
	const open = (...more) => new Promise((resolve, reject) => {
		const socket = new WebSocket(url, ...more);
		socket.binaryType = "arraybuffer";
		socket.onopen = () => resolve(socket);
		socket.onerror = () => reject(new Error("refused"));
	});
	const next = (socket) => new Promise((resolve, reject) => {
		socket.onmessage = (event) => resolve(event.data);
		socket.onclose = (event) => reject(new Error("closed with " + event.code));
	});
	const end = (socket) => new Promise((resolve) => { socket.onclose = resolve; });
	const ask = (socket, message) => {
		const answer = next(socket);
		socket.send(message);
		return answer;
	};
	const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");
	const large = "0123456789abcdef".repeat(1 << 16);
	const heard = {};
	let socket = await open(["chat"]);
	heard.subprotocol = socket.protocol;
	heard.text = await ask(socket, "grüße ☃ \u{1f30d}");
	heard.empty = await ask(socket, "") === "";
	heard.binary = hex(await ask(socket, Uint8Array.from({length: 256}, (_, i) => i)));
	heard.largeText = await ask(socket, large) === large;
	const back = new Uint8Array(await ask(socket, new TextEncoder().encode(large)));
	heard.largeBinary = new TextDecoder().decode(back) === large;
	heard.fragments = await ask(socket, "fragmented"); // a browser sends a message in one piece
	socket.send("close");
	let event = await end(socket);
	[heard.code, heard.reason] = [event.code, event.reason];
	socket = await open();
	socket.close(4321, "bye");
	event = await end(socket);
	heard.answer = event.code;
	return JSON.stringify(heard);
})
