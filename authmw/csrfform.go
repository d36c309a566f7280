package authmw

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/belleville/belleville/consumers"
	"github.com/belleville/belleville/djangocompat"
)

const (
	csrfField = "csrfmiddlewaretoken"

	// maxTokenField is how much of the field is read; a token is shorter.
	maxTokenField = 256
)

// mayBeInForm reports whether a request that was refused with err lacks nothing but a token, which its form
// may have.
func mayBeInForm(r djangocompat.CSRFRequest, err error) bool {
	refused, ok := errors.AsType[*djangocompat.CSRFError](err)
	missing := ok && (refused.Reason == djangocompat.CSRFTokenMissing || refused.Reason == djangocompat.CSRFBadToken)
	return missing && r.HeaderToken == nil && strings.EqualFold(r.Method, http.MethodPost)
}

// checkForm checks r with the token in the body of hr, which can be read again afterwards.
func (g csrfGuard) checkForm(w http.ResponseWriter, hr *http.Request, r djangocompat.CSRFRequest) error {
	kind, params, _ := mime.ParseMediaType(hr.Header.Get("Content-Type"))
	isForm := kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	if isForm && hr.Body != nil {
		body, err := g.readForm(w, hr)
		if err != nil {
			return err
		}
		hr.Body = &readAgain{bytes.NewReader(body), hr.Body}
		if kind == "multipart/form-data" {
			r.FormToken = multipartToken(body, params["boundary"])
		} else {
			r.FormToken = urlencodedToken(string(body))
		}
	}
	if err := g.check.Check(r); err != nil {
		return g.refusal(err)
	}
	return nil
}

// readAgain is a body that was read.
type readAgain struct {
	io.Reader
	io.Closer
}

// readForm reads a body that is not too large, nor too slow. What is wrong with it is a Denial.
func (g csrfGuard) readForm(w http.ResponseWriter, hr *http.Request) ([]byte, error) {
	if hr.ContentLength > g.cfg.MaxForm {
		return nil, &consumers.Denial{Status: http.StatusRequestEntityTooLarge}
	}
	// Where deadlines are not supported the server's own apply. This one must not outlast the body.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(g.cfg.FormTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, hr.Body, g.cfg.MaxForm))
	_ = control.SetReadDeadline(time.Time{})
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &consumers.Denial{Status: http.StatusRequestEntityTooLarge}
	}
	switch {
	case err == nil:
		return body, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &consumers.Denial{Status: http.StatusRequestTimeout}
	}
	return nil, &consumers.Denial{Status: http.StatusBadRequest}
}

// urlencodedToken returns the last token in a form, or "". Python: QueryDict.get.
func urlencodedToken(body string) string {
	token := ""
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if len(name) > 3*len(csrfField) || len(value) > 3*maxTokenField {
			continue
		}
		if name, err := url.QueryUnescape(name); err != nil || name != csrfField {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			token = value
		}
	}
	return token
}

// multipartToken returns the last token in a form, or "".
func multipartToken(body []byte, boundary string) string {
	if boundary == "" {
		return ""
	}
	token := ""
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return token // what comes behind something broken is not looked at
		}
		if part.FormName() != csrfField || part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(io.LimitReader(part, maxTokenField))
		if err != nil {
			return token
		}
		token = string(value)
	}
}
