package server_test

import (
	"fmt"

	"github.com/gobwas/ws/wsflate"
)

// closeCases are of the closing handshake. RFC 6455 §5.5.1, §7.4, and the registry of close codes.
func closeCases() []exchange {
	hello := frame(fText, "hello")
	all := []exchange{
		{"a close without a code", frame(fClose, ""), nil, 1005},
		{"a close behind a message", hello + frame(fClose, closePayload(1000, "")), nil, 1000},
		{"two closes", frame(fClose, closePayload(1000, "")) + frame(fClose, closePayload(1001, "")), nil, 1000},
		{"a ping behind a close", frame(fClose, closePayload(1000, "")) + frame(fPing, "p"), nil, 1000},
		{"a message behind a close", frame(fClose, closePayload(1000, "")) + hello, nil, 1000},
		{"nonsense behind a close", frame(fClose, closePayload(3000, "")) + "\x83\x00\xff\xff", nil, 3000},
		{"the rest of a message behind a close", frame(fBegin, "a") + frame(fClose, closePayload(1000, "")) + frame(fEnd, "b"), nil, 1000},
		{"half a code", frame(fClose, "\x03"), nil, 1002},
		{"a reason", frame(fClose, closePayload(1000, "bye")), nil, 1000},
		{"a reason beyond ASCII", frame(fClose, closePayload(1000, "tschüß €")), nil, 1000},
		{"the longest reason", frame(fClose, closePayload(1000, repeat("*", 123))), nil, 1000},
		{"a reason that is too long", frame(fClose, closePayload(1000, repeat("*", 124))), nil, 1002},
		{"a reason that is no UTF-8", frame(fClose, closePayload(1000, "a\xff")), nil, 1007},
		{"a reason that ends in a character", frame(fClose, closePayload(1000, "a\xe2\x82")), nil, 1007},
		{"a reason with a surrogate", frame(fClose, closePayload(1000, "\xed\xa0\x80")), nil, 1007},
		{"a close in fragments", frame(0x08, closePayload(1000, "")), nil, 1002},
	}
	for _, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999} {
		all = append(all, exchange{fmt.Sprintf("the code %d comes back", code), frame(fClose, closePayload(code, "why")), nil, code})
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 32768, 65535} {
		all = append(all, exchange{fmt.Sprintf("the code %d is for nobody to send", code), frame(fClose, closePayload(code, "")), nil, 1002})
	}
	return all
}

// limitCases are of what is as large as it may be, and of what is larger.
func limitCases() []exchange {
	const key = "\x01\x02\x03\x04"
	most := repeat("x", maxMessage)
	half := maxMessage / 2
	return []exchange{
		{"the largest text", frame(fText, most), []answer{text(most)}, 0},
		{"the largest binary message", frame(fBinary, most), []answer{blob(most)}, 0},
		{"one byte more is refused at its header", frame(fText, most+"x")[:14], nil, 1009},
		{"the largest in two fragments", pieces(fText, most[:half], most[half:]), []answer{text(most)}, 0},
		{"one byte more in two fragments", frame(fBegin, most[:half]) + frame(fEnd, most[half:]+"x")[:14], nil, 1009},
		{"one byte more in a fragment of its own", frame(fBegin, most) + frame(fMore, "x"), nil, 1009},
		{"nothing more in a fragment of its own", frame(fBegin, most) + frame(fEnd, ""), []answer{text(most)}, 0},
		{"a control frame is no part of a message", frame(fBegin, most) + frame(fPing, "p") + frame(fEnd, ""), []answer{{fPong, "p"}, text(most)}, 0},
		{"a length of 2^36 that is only claimed", "\x82\xff\x00\x00\x00\x10\x00\x00\x00\x00" + key, nil, 1009},
		{"a length of 2^62 that is only claimed", "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00" + key, nil, 1009},
		{"a length of 2^63-1 that is only claimed", "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + key, nil, 1009},
		{"a length of 2^62 in a later fragment", frame(fBegin, "a") + "\x80\xff\x40\x00\x00\x00\x00\x00\x00\x00" + key, nil, 1009},
		{"a length of 2^32 is not taken for 0", "\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00" + key, nil, 1009},
	}
}

// manyFrameCases are of messages in many frames and of many messages.
func manyFrameCases() []exchange {
	long := repeat("0123456789abcdef", 4096)
	all := []exchange{{"65536 bytes in fragments of 1300", pieces(fText, sliced(long, 1300)...), []answer{text(long)}, 0}}
	said, heard := "", []answer(nil)
	for i := range 500 {
		m := fmt.Sprint("message ", i)
		said += frame(fText, m)
		heard = append(heard, text(m))
	}
	all = append(all, exchange{"500 messages in their order", said, heard, 0})
	for _, n := range []int{1, 2, 3, 5, 7, 61} {
		s := long[:n*50]
		all = append(all, exchange{fmt.Sprintf("fragments of %d bytes", n), pieces(fBinary, sliced(s, n)...), []answer{blob(s)}, 0})
	}
	return all
}

// deflated is the payload of a compressed message.
func deflated(s string) string {
	b, err := wsflate.DefaultHelper.Compress([]byte(s))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// The first bytes of compressed frames. RFC 7692 §6.
const (
	zText   = 0xc1
	zBinary = 0xc2
	zBegin  = 0x41
)

// compressionCases are of compressed messages. RFC 7692 §6, §7.2.
func compressionCases() []exchange {
	hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	long := repeat("all work and no play makes Jack a dull boy. ", 2000)
	said := deflated(long)
	bomb := deflated(repeat("\x00", 1000*maxMessage))
	most := repeat("x", maxMessage)
	all := []exchange{
		{"the example of the RFC", frame(zText, hello), []answer{text("Hello")}, 0},
		{"in two fragments", frame(zBegin, hello[:3]) + frame(fEnd, hello[3:]), []answer{text("Hello")}, 0},
		{"a ping between fragments", frame(zBegin, hello[:3]) + frame(fPing, "p") + frame(fEnd, hello[3:]), []answer{{fPong, "p"}, text("Hello")}, 0},
		{"a fragment for each byte", pieces(zText, sliced(hello, 1)...), []answer{text("Hello")}, 0},
		{"an empty first fragment", pieces(zText, "", hello), []answer{text("Hello")}, 0},
		{"two blocks", frame(zText, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []answer{text("Hello")}, 0},
		{"a block without compression", frame(zText, "\x00\x05\x00\xfa\xffHello\x00"), []answer{text("Hello")}, 0},
		{"a block that calls itself the last", frame(zText, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []answer{text("Hello")}, 0},
		{"an empty message", frame(zText, "\x00"), []answer{text("")}, 0},
		{"plain messages are allowed", frame(fText, "a") + frame(zText, hello) + frame(fBinary, "b"), []answer{text("a"), text("Hello"), blob("b")}, 0},
		{"each message stands alone", frame(zText, hello) + frame(zText, hello), []answer{text("Hello"), text("Hello")}, 0},
		{"a reference to the message before", frame(zText, hello) + frame(zText, "\xf2\x00\x11\x00\x00"), []answer{text("Hello")}, 1007},
		{"much", frame(zText, said), []answer{text(long)}, 0},
		{"much, in fragments", pieces(zBinary, sliced(said, 1+len(said)/20)...), []answer{blob(long)}, 0},
		{"the largest message", frame(zText, deflated(most)), []answer{text(most)}, 0},
		{"one byte more than the largest", frame(zText, deflated(most+"x")), nil, 1009},
		{"a bomb", frame(zBinary, bomb[:min(len(bomb), maxMessage)]), nil, 1009},
		{"the bit in a continuation", frame(zBegin, hello[:3]) + frame(0xc0, hello[3:]), nil, 1002},
		{"the bit in the second fragment of a plain message", frame(fBegin, "a") + frame(0xc0, hello), nil, 1002},
		{"the bit in a ping", frame(0xc9, ""), nil, 1002},
		{"the bit in a close", frame(0xc8, closePayload(1000, "")), nil, 1002},
		{"another bit as well", frame(0xe1, hello), nil, 1002},
		{"another bit alone", frame(0xa1, "x"), nil, 1002},
		{"what is not compressed", frame(zText, "not compressed at all"), nil, 1007},
		{"no payload", frame(zText, ""), nil, 1007},
		{"half of it", frame(zText, said[:len(said)/2]), nil, 1007},
		{"a text that is no UTF-8", frame(zText, deflated("abc\xff")), nil, 1007},
		{"a text that ends in a character", frame(zText, deflated("abc\xe2\x82")), nil, 1007},
		{"a surrogate in fragments", pieces(zText, sliced(deflated("a\xed\xa0\x80"), 2)...), nil, 1007},
		{"the same in binary is nobody's business", frame(zBinary, deflated("abc\xff")), []answer{blob("abc\xff")}, 0},
		{"characters over fragments", pieces(zText, sliced(deflated("κόσμε €"), 1)...), []answer{text("κόσμε €")}, 0},
		{"a length that is only claimed", "\xc2\xff\x00\x00\x00\x10\x00\x00\x00\x00\x01\x02\x03\x04", nil, 1009},
	}
	for _, n := range []int{16, 64, 256, 1024, 4096, 8192, 16384, 32768, 65536, 131072} {
		s := long[:min(n, len(long))]
		all = append(all, exchange{fmt.Sprintf("%d bytes", n), frame(zText, deflated(s)), []answer{text(s)}, 0})
	}
	return all
}

// parameterCases are of an offer that was accepted, whatever its parameters.
func parameterCases() []exchange {
	var all []exchange
	for _, n := range []int{10, 300, 600, 40_000} {
		s := repeat("0123456789", n/10)
		all = append(all, exchange{fmt.Sprintf("%d bytes", n), frame(zText, deflated(s)) + frame(fBinary, s), []answer{text(s), blob(s)}, 0})
	}
	return all
}

// declinedCases are of an offer that was declined: there is no compression, and nothing else is wrong.
func declinedCases() []exchange {
	return []exchange{
		{"a plain message", frame(fText, repeat("x", 1000)), []answer{text(repeat("x", 1000))}, 0},
		{"a compressed message", frame(zText, deflated("x")), nil, 1002},
	}
}
