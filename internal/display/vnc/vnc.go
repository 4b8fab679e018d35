// Package vnc is a server of the remote framebuffer protocol (RFC 6143, and
// for what is not in it the community's "The RFB Protocol" at
// github.com/rfbproto): it shows a display.Screen and takes keys and
// pointers from its clients to a display.Input.
//
// A client has two goroutines: one reads what it sends, one writes updates.
// An update is made when the client has asked for one and something has
// changed, from a copy of the picture, so a client that does not read costs
// that copy and nothing grows.
package vnc

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"sync"

	"rhea/internal/audio"
	"rhea/internal/display"
	"rhea/internal/display/keymap"
)

// Share is what becomes of other clients when one comes (-vnc share=).
type Share uint8

// The policies.
const (
	AllowExclusive Share = iota // a client may ask to be alone
	ForceShared                 // it may not
	IgnoreShared                // and its asking is not looked at
)

// Config describes a server.
type Config struct {
	Screen display.Picture
	Input  display.Controls
	// Do runs f under the machine's lock.
	Do func(f func())
	// Name is that of the desktop.
	Name string
	// Auth demands a password: that of SetPassword; until one is set nobody
	// comes in.
	Auth  bool
	Share Share
	// Lossy allows JPEG.
	Lossy bool
	// TLS, if not nil, is demanded of all clients (VeNCrypt, X509None or
	// X509Vnc).
	TLS *tls.Config
	// Layout is the keyboard that clients which only send symbols have; nil
	// is that of the United States.
	Layout *keymap.Layout
	// KeepLocks leaves the guest's Caps Lock and Num Lock alone when a client's
	// keys show that its own are set otherwise.
	KeepLocks bool
	// Sound is what clients may listen to; nil = nothing.
	Sound *audio.Mixer
	// Connecting bounds the clients that are not in yet: one more, and the
	// oldest of them has to go. 0 = maxClients.
	Connecting int
	// PowerDown and Reset are what clients may do to the machine (rfbproto, "xvp
	// Client Message"); nil = nothing.
	PowerDown, Reset func()
}

// maxClients bounds who is connected at once, unless Config.Connecting is more.
const maxClients = 32

// Server serves clients.
type Server struct {
	c Config

	mu       sync.Mutex
	password string
	clients  []*client
	closers  map[net.Listener]bool
	closed   bool
	leds     uint8 // as last told
}

// New returns a server without clients.
func New(c Config) *Server {
	if c.Layout == nil {
		c.Layout = keymap.US()
	}
	if c.Connecting == 0 {
		c.Connecting = maxClients
	}
	return &Server{c: c, closers: map[net.Listener]bool{}}
}

// SetPassword sets the password, of which eight characters count; "" lets
// nobody in.
func (s *Server) SetPassword(p string) {
	s.mu.Lock()
	s.password = p
	s.mu.Unlock()
}

// Auth reports whether clients must know a password.
func (s *Server) Auth() bool { return s.c.Auth }

// Serve takes clients from l until it or the server is closed.
func (s *Server) Serve(l net.Listener) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return l.Close()
	}
	s.closers[l] = true
	s.mu.Unlock()
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		go s.ServeConn(conn)
	}
}

// ServeConn serves one client to its end and closes conn.
func (s *Server) ServeConn(conn net.Conn) {
	defer conn.Close()
	c := newClient(s, conn)
	s.mu.Lock()
	s.makeRoom()
	if s.closed || len(s.clients) >= max(maxClients, s.c.Connecting) {
		s.mu.Unlock()
		return
	}
	s.clients = append(s.clients, c)
	s.mu.Unlock()
	c.serve()
	s.mu.Lock()
	s.clients = slices.DeleteFunc(s.clients, func(x *client) bool { return x == c })
	s.mu.Unlock()
}

// makeRoom has the oldest client that is not in yet give way to another; s.mu
// is held.
func (s *Server) makeRoom() {
	oldest, n := -1, 0
	for i, c := range s.clients {
		if !c.admitted {
			if n == 0 {
				oldest = i
			}
			n++
		}
	}
	if n >= s.c.Connecting {
		s.clients[oldest].raw.Close()
		s.clients = slices.Delete(s.clients, oldest, oldest+1)
	}
}

// admit applies the sharing policy to a client that wants to be alone, or
// not.
func (s *Server) admit(c *client, exclusive bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.c.Share == IgnoreShared:
		c.admitted = true
		return nil
	case exclusive && s.c.Share == ForceShared:
		return errors.New("vnc: the server is shared")
	}
	c.exclusive = exclusive
	for _, o := range s.clients {
		switch {
		case o == c || !o.admitted:
		case exclusive:
			o.raw.Close()
		case o.exclusive:
			return errors.New("vnc: another client is alone here")
		}
	}
	c.admitted = true
	return nil
}

// ClientInfo is a client for people to see.
type ClientInfo struct {
	Addr net.Addr
	// Auth is "none" or "vnc", TLS the sub-type of VeNCrypt, "none" without.
	Auth, TLS string
}

// Clients lists those that are in.
func (s *Server) Clients() []ClientInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l []ClientInfo
	for _, c := range s.clients {
		if c.admitted {
			auth, sub := s.AuthNames()
			l = append(l, ClientInfo{c.raw.RemoteAddr(), auth, sub})
		}
	}
	return l
}

// AuthNames says how clients come in, in QEMU's words.
func (s *Server) AuthNames() (auth, sub string) {
	switch {
	case s.c.TLS != nil && s.c.Auth:
		return "vencrypt", "x509-vnc"
	case s.c.TLS != nil:
		return "vencrypt", "x509-none"
	case s.c.Auth:
		return "vnc", "none"
	}
	return "none", "none"
}

// LEDs tells clients of the keyboard's lamps: bit 0 scroll lock, 1 num lock,
// 2 caps lock.
func (s *Server) LEDs(v uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leds = v
	for _, c := range s.clients {
		c.sendLEDs(v)
	}
}

// Close ends all clients and listeners.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for l := range s.closers {
		l.Close()
	}
	for _, c := range s.clients {
		c.raw.Close()
	}
	return nil
}
