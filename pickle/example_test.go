package pickle_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/belleville/belleville/pickle"
)

// A session as Django's PickleSerializer wrote it.
const session = "\x80\x05\x95\x29\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\r_auth_user_id\x94\x8c\x0242\x94" +
	"\x8c\x04cart\x94]\x94(K\x07K\x09eu."

func ExampleDecode() {
	v, err := pickle.Decode([]byte(session), pickle.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	data := v.(*pickle.Dict)
	user, _ := data.Get("_auth_user_id")
	cart, _ := data.Get("cart")
	fmt.Println(user, cart)
	// Output: 42 [7,9]
}

func ExampleDecode_refused() {
	_, err := pickle.Decode([]byte("P7\n."), pickle.Config{})
	if refusal, ok := errors.AsType[*pickle.OpcodeError](err); ok {
		fmt.Println(errors.Is(err, pickle.ErrUnsupported), refusal)
	}
	// Output: true pickle: unsupported: a persistent id (opcode 0x50 at offset 0)
}

func ExampleEncode() {
	shared := pickle.NewList("in both")
	data, err := pickle.Encode(map[string]any{"a": shared, "b": shared, "at": time.Unix(0, 0).UTC()})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, _ := pickle.Decode(data, pickle.Config{})
	a, _ := v.(*pickle.Dict).Get("a")
	b, _ := v.(*pickle.Dict).Get("b")
	at, _ := v.(*pickle.Dict).Get("at")
	fmt.Println(a == b, pickle.Sprint(at))
	// Output: true {"$type":"datetime","value":"1970-01-01T00:00:00+00:00","tz":{"kind":"utc"}}
}

func ExampleObject() {
	// What pickle.dumps(a model instance) begins with; nothing of it is imported or called.
	v, err := pickle.Decode([]byte("\x80\x02cshop.models\nBasket\n)\x81}X\x05\x00\x00\x00itemsK\x03sb."), pickle.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	basket := v.(*pickle.Object)
	items, _ := basket.Attr("items")
	fmt.Println(basket.Class().Name, items, basket)
	// Output: Basket 3 {"$type":"opaque","class":"shop.models.Basket"}
}

func ExampleAppendJSON() {
	tags, _ := pickle.NewSet("b", "a")
	text, err := pickle.AppendJSON(nil, pickle.NewList(1.0, pickle.Tuple{"é", nil}, tags, pickle.Decimal("9.90")), 1<<20)
	fmt.Println(string(text), err)
	// Output: [1.0,{"$type":"tuple","items":["\u00e9",null]},{"$type":"set","items":["a","b"]},{"$type":"Decimal","value":"9.90"}] <nil>
}

func ExampleParseJSON() {
	v, err := pickle.ParseJSON([]byte(`{"when": {"$type": "date", "value": "2024-02-29"}}`), pickle.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	when, _ := v.(*pickle.Dict).Get("when")
	fmt.Println(when.(pickle.Date).Day)
	// Output: 29
}

func ExampleSprint() {
	list := pickle.NewList("a list in itself")
	list.Items = append(list.Items, list)
	fmt.Println(pickle.Sprint(list))
	// Output: ["a list in itself",{"$type":"recursive"}]
}

func ExampleNewDict() {
	d, err := pickle.NewDict(pickle.Entry{Key: int64(1), Value: "one"}, pickle.Entry{Key: true, Value: "True is 1"})
	fmt.Println(d, err)
	// Output: {"$type":"dict","items":[[1,"True is 1"]]} <nil>
}

func ExampleDict_All() {
	d := new(pickle.Dict)
	for i, name := range []string{"_auth_user_id", "cart"} {
		if err := d.Set(name, i); err != nil {
			fmt.Println(err)
		}
	}
	for key, value := range d.All() {
		fmt.Println(key, value)
	}
	// Output:
	// _auth_user_id 0
	// cart 1
}

func ExampleNewFrozenSet() {
	s, err := pickle.NewFrozenSet("a", "b", "a")
	fmt.Println(s.Len(), s.Has("b"), err)
	// Output: 2 true <nil>
}

func ExampleNewDateTime() {
	dt := pickle.NewDateTime(time.Date(2024, 4, 5, 19, 34, 38, 0, time.UTC))
	t, err := dt.GoTime(time.UTC)
	fmt.Println(t, err)
	// Output: 2024-04-05 19:34:38 +0000 UTC <nil>
}

func ExampleNewTimeDelta() {
	td, ok := pickle.NewTimeDelta(0, -90, 0)
	d, _ := td.Duration()
	fmt.Println(td.Days, td.Seconds, ok, d)
	// Output: -1 86310 true -1m30s
}

func ExampleUUID() {
	var u pickle.UUID
	if _, err := hex.Decode(u[:], []byte("ec8f2d2809f7413e99c0b2dbb444c3f0")); err != nil {
		fmt.Println(err)
	}
	fmt.Println(u)
	// Output: ec8f2d28-09f7-413e-99c0-b2dbb444c3f0
}
