package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"sync"
	"time"

	"github.com/belleville/belleville/authmw/live"
	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
	"github.com/belleville/belleville/sessionstore"
)

//go:embed assets
var assets embed.FS

const (
	// firstRoom is where a visitor goes who names no room.
	firstRoom = "lobby"
	// maxRoomName keeps "chat.<room>" a legal name of a group.
	maxRoomName = 40
	// maxForm is how large a posted form may be, in bytes.
	maxForm = 16 << 10

	// To check a password takes a good part of a second, so few may be tried: some at once, then one at
	// each interval, whoever tries.
	loginBurst    = 10
	loginInterval = time.Second

	// contentPolicy lets a page use what comes from its own origin, and nothing inline.
	contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

// site serves the pages that Django serves where Belleville runs beside it.
type site struct {
	// Set at birth, never changed.
	sessions *sessionstore.Store
	live     *live.Live // makes sockets end with their sessions
	hosts    []string   // ALLOWED_HOSTS
	logger   *slog.Logger
	pages    *template.Template

	mu     sync.Mutex // guards the field below
	logins pace
}

func newSite(sessions *sessionstore.Store, hosts []string, logger *slog.Logger) *site {
	return &site{
		sessions: sessions,
		live:     live.New(sessions, live.Config{Logger: logger}),
		hosts:    hosts,
		logger:   logger,
		pages:    template.Must(template.ParseFS(assets, "assets/*.html")),
		logins:   pace{burst: loginBurst, interval: loginInterval},
	}
}

// handler routes the pages. A request that changes something must come from a page of the same origin; the
// session's cookie is SameSite=Lax besides.
func (s *site) handler() http.Handler {
	static, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(err) // the folder is embedded
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/chat/"+firstRoom+"/", http.StatusSeeOther))
	mux.HandleFunc("GET /login/{$}", s.showLogin)
	mux.HandleFunc("POST /login/{$}", s.login)
	mux.HandleFunc("POST /logout/{$}", s.logout)
	mux.HandleFunc("GET /chat/{$}", s.chooseRoom)
	mux.HandleFunc("GET /chat/{room}/{$}", s.showRoom)
	mux.HandleFunc("GET /session/{$}", s.showSession)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	return s.guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard refuses requests for other hosts, as after a rebinding of DNS, and says to browsers what they may do
// with an answer.
func (s *site) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", contentPolicy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("Cache-Control", "no-store")
		header.Set("Vary", "Cookie")
		if domain, _ := djangocompat.SplitDomainPort(r.Host); !djangocompat.HostAllowed(domain, s.hosts) {
			http.Error(w, "This is not a host that the demo answers for.", http.StatusBadRequest)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		h.ServeHTTP(w, r)
	})
}

// chooseRoom goes to the room that was typed.
func (s *site) chooseRoom(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/chat/"+roomOf(r)+"/", http.StatusSeeOther)
}

// roomPage is what chat.html shows.
type roomPage struct {
	Room        string
	Rooms       []string
	Username    string
	MaxText     int
	MaxRoomName int
}

func (s *site) showRoom(w http.ResponseWriter, r *http.Request) {
	room := r.PathValue("room")
	user := consumers.ScopeFrom(r.Context()).User
	switch {
	case !isRoom(room):
		http.NotFound(w, r)
	case !user.IsAuthenticated():
		http.Redirect(w, r, "/login/?room="+room, http.StatusSeeOther)
	default:
		rooms := []string{firstRoom, "music", "paris"}
		s.render(w, "chat.html", roomPage{room, rooms, user.Username, maxText, maxRoomName})
	}
}

// showSession tells a page whose socket was refused whether that is because its visitor is logged out.
func (s *site) showSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	known := consumers.ScopeFrom(r.Context()).User.IsAuthenticated()
	_ = json.NewEncoder(w).Encode(map[string]bool{"authenticated": known}) // the client may be gone
}

// roomOf returns the room that a query or a form names, or the first one.
func roomOf(r *http.Request) string {
	if room := r.FormValue("room"); isRoom(room) {
		return room
	}
	return firstRoom
}

// slug is what <slug:room> takes in a path.
var slug = regexp.MustCompile(`\A[-a-zA-Z0-9_]+\z`)

// isRoom reports whether there may be a room of this name.
func isRoom(name string) bool { return len(name) <= maxRoomName && slug.MatchString(name) }

// render shows a page.
func (s *site) render(w http.ResponseWriter, name string, page any) {
	var b bytes.Buffer
	if err := s.pages.ExecuteTemplate(&b, name, page); err != nil {
		s.fail(w, "show page", err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = b.WriteTo(w) // the client may be gone
}

// fail answers a request that the demo could not do.
func (s *site) fail(w http.ResponseWriter, doing string, err error) {
	s.logger.Error("demo: request", "doing", doing, "error", err)
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}
