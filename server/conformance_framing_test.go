package server_test

import "fmt"

// framingCases are of whole messages in one frame, and of frames that are none. RFC 6455 §5.2.
func framingCases() []exchange {
	var all []exchange
	for _, n := range []int{0, 1, 124, 125, 126, 127, 128, 65534, 65535, 65536, 65537} {
		t, b := repeat("*", n), repeat("\xfe", n)
		all = append(all,
			exchange{fmt.Sprintf("a text of %d bytes", n), frame(fText, t), []answer{text(t)}, 0},
			exchange{fmt.Sprintf("%d bytes in binary", n), frame(fBinary, b), []answer{blob(b)}, 0})
	}
	const key = "\x01\x02\x03\x04"
	return append(all,
		exchange{"several messages in one segment", frame(fText, "a") + frame(fBinary, "b") + frame(fText, "c"), []answer{text("a"), blob("b"), text("c")}, 0},
		exchange{"a mask of zeros", "\x81\x85\x00\x00\x00\x00hello", []answer{text("hello")}, 0},
		exchange{"a text without a mask", "\x81\x02hi", nil, 1002},
		exchange{"an empty text without a mask", "\x81\x00", nil, 1002},
		exchange{"a ping without a mask", "\x89\x00", nil, 1002},
		exchange{"a close without a mask", "\x88\x02\x03\xe8", nil, 1002},
		exchange{"a missing mask is seen before the payload", "\x82\x7f", nil, 1002},
		exchange{"16 bits for a length of 0", "\x82\xfe\x00\x00" + key, nil, 1002},
		exchange{"16 bits for a length of 125", "\x82\xfe\x00\x7d" + key + repeat("x", 125), nil, 1002},
		exchange{"64 bits for a length of 0", "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x00" + key, nil, 1002},
		exchange{"64 bits for a length of 126", "\x82\xff\x00\x00\x00\x00\x00\x00\x00\x7e" + key, nil, 1002},
		exchange{"64 bits for a length of 65535", "\x82\xff\x00\x00\x00\x00\x00\x00\xff\xff" + key, nil, 1002},
		exchange{"a length with the highest bit", "\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00" + key, nil, 1002},
		exchange{"a length of 2^64-1", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" + key, nil, 1002},
		exchange{"a wrong length is seen before the mask", "\x82\xfe\x00\x05", nil, 1002},
	)
}

// pingCases are of RFC 6455 §5.5.2 and §5.5.3.
func pingCases() []exchange {
	ten, pongs := "", []answer(nil)
	for i := range 10 {
		payload := fmt.Sprintf("payload-%d", i)
		ten += frame(fPing, payload)
		pongs = append(pongs, answer{fPong, payload})
	}
	return []exchange{
		{"an empty ping", frame(fPing, ""), []answer{{fPong, ""}}, 0},
		{"a ping's payload comes back", frame(fPing, "Hello, world!"), []answer{{fPong, "Hello, world!"}}, 0},
		{"a ping's payload is no text", frame(fPing, "\x00\xff\xfe\xfd"), []answer{{fPong, "\x00\xff\xfe\xfd"}}, 0},
		{"a ping of 125 bytes", frame(fPing, repeat("\xfe", 125)), []answer{{fPong, repeat("\xfe", 125)}}, 0},
		{"a ping of 126 bytes", frame(fPing, repeat("\xfe", 126)), nil, 1002},
		{"a ping with a length of 64 bits", "\x89\xff", nil, 1002},
		{"a ping in fragments", frame(0x09, "p"), nil, 1002},
		{"a pong that nobody asked for", frame(fPong, "") + frame(fText, "a"), []answer{text("a")}, 0},
		{"a pong with a payload that nobody asked for", frame(fPong, "unsolicited") + frame(fPing, "p"), []answer{{fPong, "p"}}, 0},
		{"a pong of 126 bytes", frame(fPong, repeat("p", 126)), nil, 1002},
		{"a pong in fragments", frame(0x0a, "p"), nil, 1002},
		{"ten pings are answered in their order", ten, pongs, 0},
		{"more pings than anybody needs", repeat(frame(fPing, ""), 3000), nil, 1008},
		{"more pongs than anybody needs", repeat(frame(fPong, ""), 3000), nil, 1008},
	}
}

// reservedBitCases are of the bits RSV1 to RSV3, about which nothing was agreed. RFC 6455 §5.2.
func reservedBitCases() []exchange {
	var all []exchange
	for rsv := byte(1); rsv <= 7; rsv++ {
		bits := rsv << 4
		name := fmt.Sprintf("%03b in ", rsv)
		all = append(all,
			exchange{name + "a text", frame(fText|bits, "x"), nil, 1002},
			exchange{name + "a binary message", frame(fBinary|bits, ""), nil, 1002},
			exchange{name + "a text behind another", frame(fText, "a") + frame(fText|bits, "b") + frame(fPing, ""), []answer{text("a")}, 1002},
			exchange{name + "a ping", frame(fPing|bits, ""), nil, 1002},
			exchange{name + "a close", frame(fClose|bits, closePayload(1000, "")), nil, 1002},
			exchange{name + "a continuation", frame(fBegin, "a") + frame(fEnd|bits, "b"), nil, 1002})
	}
	return append(all, exchange{"a reserved bit is seen in the first byte", "\xc1", nil, 1002})
}

// opcodeCases are of the reserved ones. RFC 6455 §5.2, §11.8.
func opcodeCases() []exchange {
	var all []exchange
	for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		name := fmt.Sprintf("opcode %d", op)
		all = append(all,
			exchange{name, frame(0x80|op, ""), nil, 1002},
			exchange{name + " with a payload", frame(0x80|op, "reserved"), nil, 1002},
			exchange{name + " in fragments", frame(op, ""), nil, 1002},
			exchange{name + " behind a text", frame(fText, "a") + frame(0x80|op, "x") + frame(fPing, ""), []answer{text("a")}, 1002},
			exchange{name + " inside a message", frame(fBegin, "a") + frame(0x80|op, ""), nil, 1002})
	}
	return append(all, exchange{"a reserved opcode is seen in the first byte", "\x83", nil, 1002})
}

// fragmentCases are of RFC 6455 §5.4.
func fragmentCases() []exchange {
	ping := frame(fPing, "p")
	pong := answer{fPong, "p"}
	return []exchange{
		{"two fragments", pieces(fText, "frag", "ment"), []answer{text("fragment")}, 0},
		{"three fragments of binary", pieces(fBinary, "\xff", "\xfe", "\xfd"), []answer{blob("\xff\xfe\xfd")}, 0},
		{"all fragments are empty", pieces(fText, "", "", ""), []answer{text("")}, 0},
		{"the one in the middle is not empty", pieces(fText, "", "middle", ""), []answer{text("middle")}, 0},
		{"the last one is empty", pieces(fBinary, "a", ""), []answer{blob("a")}, 0},
		{"a ping between two", frame(fBegin, "a") + ping + frame(fEnd, "b"), []answer{pong, text("ab")}, 0},
		{"a ping after each", frame(fBegin, "a") + ping + frame(fMore, "b") + ping + frame(fEnd, "c"), []answer{pong, pong, text("abc")}, 0},
		{"a pong between two", frame(fBegin, "a") + frame(fPong, "x") + frame(fEnd, "b"), []answer{text("ab")}, 0},
		{"a close between two", frame(fBegin, "a") + frame(fClose, closePayload(1001, "")) + frame(fEnd, "b"), nil, 1001},
		{"two messages in fragments", pieces(fText, "a", "b") + pieces(fBinary, "c", "d"), []answer{text("ab"), blob("cd")}, 0},
		{"a whole message behind one in fragments", pieces(fText, "a", "b") + frame(fText, "c"), []answer{text("ab"), text("c")}, 0},
		{"as many as are allowed", pieces(fText, sliced(repeat("x", maxFragments), 1)...), []answer{text(repeat("x", maxFragments))}, 0},
		{"one more", pieces(fText, sliced(repeat("x", maxFragments+1), 1)...), nil, 1008},
		{"one more, and empty", frame(fBegin, "") + repeat(frame(fMore, ""), maxFragments), nil, 1008},
		{"a last one without a beginning", frame(fEnd, "x"), nil, 1002},
		{"a next one without a beginning", frame(fMore, "x") + frame(fEnd, "y"), nil, 1002},
		{"an empty one without a beginning", frame(fEnd, ""), nil, 1002},
		{"one behind a message in fragments", pieces(fText, "a", "b") + frame(fEnd, "c"), []answer{text("ab")}, 1002},
		{"one behind a whole message", frame(fText, "a") + frame(fMore, "b"), []answer{text("a")}, 1002},
		{"a text inside a text", frame(fBegin, "a") + frame(fText, "b"), nil, 1002},
		{"a binary message inside a text", frame(fBegin, "a") + frame(fBinary, "b"), nil, 1002},
		{"a beginning inside a text", frame(fBegin, "a") + frame(fBegin, "b"), nil, 1002},
		{"a text inside a binary message", frame(0x02, "a") + frame(fText, "b"), nil, 1002},
	}
}
