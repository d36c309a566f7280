package server

import (
	"io"
	"net/http"
	"time"
)

// bodyTimeout is how long a client may take to send the body of a request, whether somebody reads it or not.
const bodyTimeout = 30 * time.Second

// boundBody gives a request's body a deadline. It ends with the body, since a response may take as long as it
// likes.
func boundBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(bodyTimeout)) != nil {
		return // there are no deadlines: whoever serves this has its own
	}
	r.Body = &timedBody{r.Body, c}
}

// timedBody is a body that has a deadline.
type timedBody struct {
	io.ReadCloser
	conn *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.conn.SetReadDeadline(time.Time{}) // it could be set
	}
	return n, err
}

// unreadTimeout is how long a body that nobody reads may still come, so that the peer can read the answer.
const unreadTimeout = time.Second

// refuseHTTP is denyHTTP for a request whose body nobody reads: the connection ends with the answer.
func (s *Server) refuseHTTP(w http.ResponseWriter, r *http.Request, err error) {
	if r.ContentLength != 0 {
		w.Header().Set("Connection", "close")
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(unreadTimeout)) // or whoever serves this has its own
	}
	s.denyHTTP(w, err)
}
