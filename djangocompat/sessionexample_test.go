package djangocompat_test

import (
	"fmt"
	"time"

	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/pickle"
)

// What a cache holds is a pickle, and so is a session of PickleSerializer.
func ExampleParsePickledSession() {
	dict, err := pickle.NewDict( // what Django has stored
		pickle.Entry{Key: djangocompat.AuthUserIDKey, Value: "7"},
		pickle.Entry{Key: "basket", Value: pickle.NewList(pickle.Decimal("9.90"))},
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := pickle.Encode(dict)
	if err != nil {
		fmt.Println(err)
		return
	}

	data, err := djangocompat.ParsePickledSession(stored, 1<<20)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, _ := data.GetString(djangocompat.AuthUserIDKey)
	data, err = data.With("seen", time.Date(2024, 4, 5, 19, 34, 38, 0, time.UTC))
	fmt.Println(id, data.IsPickled(), err)
	fmt.Println(string(data.JSON()))
	// Output:
	// 7 true <nil>
	// {"_auth_user_id":"7","basket":[{"$type":"Decimal","value":"9.90"}],"seen":{"$type":"datetime","value":"2024-04-05T19:34:38+00:00","tz":{"kind":"utc"}}}
}

func ExampleSessionCodec_DecodeAny() {
	codec := djangocompat.SessionCodec{Keys: djangocompat.NewKeys("the site's secret key")}
	for _, s := range []djangocompat.Serializer{djangocompat.JSONSerializer, djangocompat.PickleSerializer} {
		data, err := s.Empty().With("a", 1)
		if err != nil {
			fmt.Println(err)
			return
		}
		codec.Serializer = s
		text, err := codec.Encode(data)
		if err != nil {
			fmt.Println(err)
			return
		}
		again, err := codec.DecodeAny(text)
		fmt.Println(again.IsPickled(), string(again.JSON()), err)
	}
	// Output:
	// false {"a":1} <nil>
	// true {"a":1} <nil>
}

func ExampleParseSerializer() {
	_, err := djangocompat.ParseSerializer("mysite.serializers.OrJSONSerializer")
	fmt.Println(err != nil)
	s, err := djangocompat.ParseSerializer("django.contrib.sessions.serializers.PickleSerializer")
	fmt.Println(s, err)
	// Output:
	// true
	// django.contrib.sessions.serializers.PickleSerializer <nil>
}

// The next page that Django serves tells the visitor what happened on the socket.
func ExampleSession_SetFlashMessages() {
	session := djangocompat.NewSession("", djangocompat.SessionData{}, nil)
	waiting, err := session.FlashMessages()
	if err != nil {
		fmt.Println(err)
		return
	}
	session.SetFlashMessages(append(waiting, djangocompat.FlashMessage{Level: 25, Text: "Your order was shipped."})...)
	text, _ := session.GetString(djangocompat.MessagesKey)
	fmt.Println(text)
	// Output: [["__json_message",0,25,"Your order was shipped."]]
}
