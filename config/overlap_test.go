package config_test

import (
	"fmt"
	"testing"

	"github.com/belleville/belleville/config"
)

func TestSharedGroups(t *testing.T) {
	tests := []struct {
		name     string
		one, two string // path and group
		groups   [2]string
		want     bool
	}{
		{"the same words", "a/<slug:room>/", "b/<slug:room>/", [2]string{"chat_{room}", "chat_{room}"}, true},
		{"other words", "a/<slug:room>/", "b/<slug:room>/", [2]string{"chat_{room}", "news_{room}"}, false},
		{"a value that can hold the other's words", "a/<slug:room>/", "b/<slug:room>/", [2]string{"chat_{room}", "chat_news_{room}"}, true},
		{"a value in front", "a/<slug:room>/", "b/<slug:room>/", [2]string{"{room}_chat", "news_{room}"}, true},
		{"a number is no word", "a/<int:room>/", "b/<slug:room>/", [2]string{"chat_{room}", "chat_x{room}"}, false},
		{"a value is not empty", "a/<slug:room>/", "b/", [2]string{"chat{room}", "chat"}, false},
		{"no values", "a/", "b/", [2]string{"news", "news"}, true},
		{"what is the user's own", "a/", "b/", [2]string{"user_{user.pk}", "user_{user.pk}"}, false},
		{"what can be a user's", "a/<slug:room>/", "b/", [2]string{"user_{room}", "user_{user.pk}"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config.Default()
			c.Routes = []config.Route{
				{Path: tt.one, Consumer: "relay", Groups: tt.groups[:1]},
				{Path: tt.two, Consumer: "relay", Groups: tt.groups[1:]},
			}
			if got := c.SharedGroups(); len(got) == 1 != tt.want {
				t.Errorf("SharedGroups() = %v, want one: %v", got, tt.want)
			}
		})
	}
}

func ExampleConfig_SharedGroups() {
	c := config.Default()
	c.Routes = []config.Route{
		{Path: "ws/chat/<slug:room>/", Consumer: "relay", Allow: "anyone", Groups: []string{"chat_{room}"}},
		{Path: "ws/staff/", Consumer: "relay", Allow: "staff", Groups: []string{"chat_staff"}},
	}
	for _, line := range c.SharedGroups() {
		fmt.Println(line)
	}
	// Output: routes[0].groups: "chat_{room}" can be the same group as "chat_staff" of routes[1], who is let in by one hears the other
}
