// Package web shows a machine in a browser: one page with its screen (noVNC,
// by RFB on a websocket), its text consoles (xterm.js) and the buttons of a
// computer. noVNC and xterm.js are npm packages that "make web" brings; a
// build without them serves a page that says so.
package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"rhea/internal/audio"
	"rhea/internal/display"
	"rhea/internal/display/vnc"
)

//go:embed page
var page embed.FS

//go:embed dist
var dist embed.FS

// Console is a text console: a terminal whose Open returns one more view.
type Console struct {
	Name string
	Open func() io.ReadWriteCloser
}

// Drive is a drive with removable media.
type Drive struct {
	Name string `json:"name"`
	File string `json:"file"` // "" = empty
}

// Machine is what the page's buttons do.
type Machine interface {
	Status() string
	Reset()
	PowerDown()
	Stop()
	Cont() error
	Drives() []Drive
	// Media lists files of the host's that may be put into drives.
	Media() []string
	// Change puts such a file into a drive, "" takes out what is in it.
	Change(drive, file string) error
}

// Config describes a page.
type Config struct {
	Title    string
	Screen   *display.Screen
	VNC      *vnc.Server // asks for no password: the page does
	Consoles []Console
	Machine  Machine
	// Do runs f under the machine's lock.
	Do func(f func())
	// Sound is what the page plays; nil = nothing.
	Sound *audio.Mixer
	// Password lets in who knows it. Who does not come from this host's own
	// loopback needs it, or the Token.
	Password string
	// Token lets in who has it in the address: /?token=…
	Token string
}

// Server serves the page.
type Server struct {
	c       Config
	session string // of the cookie
	mux     *http.ServeMux
	http    http.Server
	ctx     context.Context
	cancel  func()
	login   sync.Mutex // one try at a time
	sockets chan struct{}
}

// maxSockets bounds the websockets that are open at once.
const maxSockets = 64

// cookie is what a browser that has been let in shows.
const cookie = "rhea"

// NewToken returns a secret that nobody guesses.
func NewToken() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// Complete reports whether this build carries noVNC and xterm.js.
func Complete() bool {
	for _, name := range []string{"dist/novnc/core/rfb.js", "dist/xterm/lib/xterm.mjs"} {
		if _, err := fs.Stat(dist, name); err != nil {
			return false
		}
	}
	return true
}

// New returns a server.
func New(c Config) *Server {
	s := &Server{c: c, session: NewToken(), mux: http.NewServeMux(), sockets: make(chan struct{}, maxSockets)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	own, err := fs.Sub(page, "page")
	if err != nil {
		panic("BUG: web: " + err.Error())
	}
	parts, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("BUG: web: " + err.Error())
	}
	s.mux.Handle("GET /lib/", http.StripPrefix("/lib", http.FileServerFS(parts)))
	s.mux.Handle("GET /", http.FileServerFS(own))
	s.mux.HandleFunc("GET /api/state", s.state)
	s.mux.HandleFunc("GET /api/media", func(w http.ResponseWriter, r *http.Request) { reply(w, s.c.Machine.Media()) })
	s.mux.HandleFunc("GET /api/screenshot.png", s.screenshot)
	s.mux.HandleFunc("POST /api/{action}", s.action)
	s.mux.HandleFunc("GET /ws/screen", s.bounded(func(w http.ResponseWriter, r *http.Request) { s.c.VNC.ServeWebSocket(w, r) }))
	s.mux.HandleFunc("GET /ws/console/{name}", s.bounded(s.console))
	s.mux.HandleFunc("GET /ws/sound", s.bounded(s.sound))
	s.http = http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	return s
}

// Serve serves l until Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends the server with all that it serves.
func (s *Server) Close() error {
	s.cancel()
	s.c.VNC.Close()
	return s.http.Close()
}

// ServeHTTP lets in who may come in.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	// With "no-referrer" browsers send the log-in form with the origin "null".
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !s.sameOrigin(r) {
		http.Error(w, "this page is not for other sites", http.StatusForbidden)
		return
	}
	if !s.protected() {
		s.mux.ServeHTTP(w, r)
		return
	}
	switch c, err := r.Cookie(cookie); {
	case err == nil && same(c.Value, s.session):
		s.mux.ServeHTTP(w, r)
	case r.Method == http.MethodPost && r.URL.Path == "/login":
		s.logIn(w, r)
	case r.Method == http.MethodGet && s.c.Token != "" && same(r.URL.Query().Get("token"), s.c.Token):
		s.letIn(w, r)
	case r.URL.Path == "/" || r.URL.Path == "/style.css":
		if r.URL.Path == "/" {
			r.URL.Path = "/login.html"
		}
		s.mux.ServeHTTP(w, r)
	default:
		http.Error(w, "log in first", http.StatusUnauthorized)
	}
}

func (s *Server) protected() bool { return s.c.Password != "" || s.c.Token != "" }

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// sameOrigin refuses what other sites' pages send: by their origin, and, where
// no password keeps them out, by a name that has been made to mean this host
// (DNS rebinding).
func (s *Server) sameOrigin(r *http.Request) bool {
	if o := r.Header.Get("Origin"); o != "" {
		_, host, ok := strings.Cut(o, "://")
		if !ok || !strings.EqualFold(host, r.Host) {
			return false
		}
	}
	if s.protected() {
		return true
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return Loopback(strings.Trim(host, "[]"))
}

// Loopback reports whether a host's name or address is this host's own.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// logIn takes the password. Wrong ones take their time, one after the other.
func (s *Server) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	s.login.Lock()
	defer s.login.Unlock()
	if p := r.PostFormValue("password"); s.c.Password == "" || !same(p, s.c.Password) {
		time.Sleep(500 * time.Millisecond)
		http.Redirect(w, r, "/#wrong", http.StatusSeeOther)
		return
	}
	s.letIn(w, r)
}

func (s *Server) letIn(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: s.session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// bounded refuses a websocket where too many are open.
func (s *Server) bounded(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.sockets <- struct{}{}:
		default:
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		defer func() { <-s.sockets }()
		h(w, r)
	}
}

// state is what the page shows beside the screen.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	names := []string{}
	for _, c := range s.c.Consoles {
		names = append(names, c.Name)
	}
	rate := 0
	if s.c.Sound != nil {
		rate = s.c.Sound.Rate()
	}
	reply(w, map[string]any{
		"sound": rate, "title": s.c.Title, "status": s.c.Machine.Status(), "consoles": names,
		"drives": s.c.Machine.Drives(), "complete": Complete(),
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (s *Server) screenshot(w http.ResponseWriter, r *http.Request) {
	p := s.c.Screen.Snapshot()
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Content-Disposition", `inline; filename="screen.png"`)
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	e.Encode(w, p.Image())
}

// action is a button.
func (s *Server) action(w http.ResponseWriter, r *http.Request) {
	m := s.c.Machine
	var err error
	switch r.PathValue("action") {
	case "reset":
		m.Reset()
	case "power":
		m.PowerDown()
	case "stop":
		m.Stop()
	case "cont":
		err = m.Cont()
	case "change":
		var a struct{ Drive, File string }
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if err = json.NewDecoder(r.Body).Decode(&a); err == nil {
			err = m.Change(a.Drive, a.File)
		}
	default:
		http.NotFound(w, r)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// maxTyped bounds a message of a console's websocket.
const maxTyped = 64 << 10

func (s *Server) console(w http.ResponseWriter, r *http.Request) {
	for _, c := range s.c.Consoles {
		if c.Name != r.PathValue("name") {
			continue
		}
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // it has answered
		}
		ws.SetReadLimit(maxTyped)
		conn := websocket.NetConn(s.ctx, ws, websocket.MessageBinary)
		view := c.Open()
		go func() {
			io.Copy(conn, view)
			conn.Close()
		}()
		io.Copy(view, conn)
		view.Close()
		conn.Close()
		return
	}
	http.NotFound(w, r)
}
