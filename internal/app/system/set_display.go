package system

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"rhea/internal/catalog"
	"rhea/internal/prop"
)

// VNC is -vnc.
type VNC struct {
	ID string
	// Unix is the path of a socket; otherwise Host and Port are where the
	// server listens, at up to To ports more if that one is taken.
	Unix, Host string
	Port, To   int
	// None: there is no port, the monitor may open one.
	None bool
	// Reverse connects to Host and Port instead.
	Reverse bool
	// WebSocket is the port of a websocket listener, 0 = none.
	WebSocket      int
	Password       bool
	PasswordSecret string
	Share          string // "allow-exclusive", "force-shared", "ignore"
	TLSCreds       string
	Lossy          bool
	LockSync       bool
	// KeyDelay is how long after a key the next one comes, in ms; -1 = as without VNC.
	KeyDelay     int
	Connecting   int // clients that are not in yet
	PowerControl bool
	Audiodev     string // "" = no sound
	Display      string // the adapter whose picture alone is shown; "" = all that there is
	IPv4, IPv6   *bool
	// Option is how the user wrote it.
	Option string
}

// Web is -display web.
type Web struct {
	Host           string
	Port           string
	Password       string
	PasswordSecret string
	Audiodev       string // "" = no sound
	Media          string // the folder whose files may be inserted; "" = those of the images
	Option         string
}

// vncBase is the port of display 0 (RFC 6143, 1); that of websockets is what
// QEMU has.
const (
	vncBase       = 5900
	websocketBase = 5700
)

func setDisplay(p *parser, arg string) error {
	l, err := prop.Parse(arg, "type")
	if err != nil {
		return err
	}
	if l.WantsHelp("type") {
		return helpAsked{func(w io.Writer) { listHelp(w, "Available display backend types:", catalog.Displays()) }}
	}
	if _, ok := l.Get("web"); ok {
		return setWeb(p, l)
	}
	name, rest := l.Take("type")
	if name == "web" {
		return setWeb(p, append(rest, prop.Opt{Key: "web", Value: "127.0.0.1:8080"}))
	}
	if name == "vnc" || strings.HasPrefix(arg, "vnc=") {
		return setVNC(p, strings.TrimPrefix(strings.TrimPrefix(arg, "vnc"), "="))
	}
	d, ok := catalog.Find(catalog.Displays(), name)
	switch {
	case !ok:
		return fmt.Errorf("unknown display '%s'%s; -display help lists them", name, prop.DidYouMean(name, catalog.Names(catalog.Displays())))
	case !d.Built:
		return fmt.Errorf("the display '%s' is not supported yet; use -vnc 127.0.0.1:0 or -nographic", name)
	case len(rest) > 0:
		return fmt.Errorf("invalid parameter '%s'", rest[0].Key)
	}
	p.display = name
	return nil
}

// setWeb reads "web=host:port". What is not on this host's own loopback needs
// a password; without one the address that is printed has a token.
func setWeb(p *parser, l prop.List) error {
	v := Web{Option: p.option}
	var addr string
	var s prop.Set
	s.String("web", &addr)
	s.String("password", &v.Password)
	s.String("password-secret", &v.PasswordSecret)
	s.String("audiodev", &v.Audiodev)
	s.String("media", &v.Media)
	if err := s.Bind(l); err != nil {
		return err
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return fmt.Errorf("'%s' is no address: -display web=127.0.0.1:8080", addr)
	}
	v.Host, v.Port = strings.Trim(addr[:i], "[]"), addr[i+1:]
	if _, err := strconv.ParseUint(v.Port, 10, 16); err != nil {
		return fmt.Errorf("'%s' is not a port: -display web=127.0.0.1:8080", v.Port)
	}
	if v.Password != "" && v.PasswordSecret != "" {
		return errors.New("'password' and 'password-secret' exclude each other")
	}
	p.cfg.Web = &v
	return nil
}

func setVNC(p *parser, arg string) error {
	l, err := prop.Parse(arg, "vnc")
	if err != nil {
		return err
	}
	v := VNC{ID: "default", Share: "allow-exclusive", LockSync: true, KeyDelay: -1, Connecting: 32, Option: p.option}
	var addr, websocket string
	var head int
	var static *bool
	var s prop.Set
	s.String("vnc", &addr)
	s.String("id", &v.ID)
	s.Int("to", &v.To, 0, 65535-vncBase)
	s.Func("websocket", "on|<port>", func(x string) error { websocket = x; return nil })
	s.Bool("reverse", &v.Reverse)
	s.Bool("password", &v.Password)
	s.String("password-secret", &v.PasswordSecret)
	s.Enum("share", &v.Share, "allow-exclusive", "force-shared", "ignore")
	s.String("tls-creds", &v.TLSCreds)
	s.Bool("lossy", &v.Lossy)
	s.Bool("lock-key-sync", &v.LockSync)
	s.String("audiodev", &v.Audiodev)
	s.String("display", &v.Display)
	s.OptBool("ipv4", &v.IPv4)
	s.OptBool("ipv6", &v.IPv6)
	s.Int("key-delay-ms", &v.KeyDelay, 0, 1000)
	s.Int("connections", &v.Connecting, 1, 1024)
	s.Bool("power-control", &v.PowerControl)
	s.Int("head", &head, 0, 255)
	s.OptBool("non-adaptive", &static)
	s.NotYet("sasl", "sasl-authz", "tls-authz", "acl", "tls", "x509", "x509verify")
	// "websocket" may stand bare, which prop allows flags only.
	for i := range l {
		if l[i].Key == "websocket" && l[i].Bare {
			l[i].Bare, l[i].Value = false, "on"
		}
	}
	if err := s.Bind(l); err != nil {
		return err
	}
	switch {
	case head > 0:
		return errors.New("parameter 'head': display adapters have one head, head=0")
	case v.Lossy && static != nil && !*static:
		// Without lossy=on QEMU does not adapt either.
		return errors.New("parameter 'non-adaptive': encodings that adapt are not supported yet; leave it out or say non-adaptive=on")
	case addr == "":
		return errors.New("the display is missing: -vnc 127.0.0.1:0")
	case addr == "none":
		v.None = true
	default:
		if err := v.address(addr); err != nil {
			return err
		}
	}
	if err := v.websocket(websocket); err != nil {
		return err
	}
	if v.PasswordSecret != "" && v.Password {
		return errors.New("'password' and 'password-secret' exclude each other")
	}
	for _, o := range p.cfg.VNC {
		if o.ID == v.ID && v.ID != "default" {
			return fmt.Errorf("the id '%s' was given twice", v.ID)
		}
	}
	if v.ID == "default" && len(p.cfg.VNC) > 0 {
		v.ID += strconv.Itoa(len(p.cfg.VNC) + 1)
	}
	p.vncGiven = true
	if !v.None {
		p.cfg.VNC = append(p.cfg.VNC, v)
	}
	return nil
}

// finishVNC looks for the adapters that display= names.
func (p *parser) finishVNC() error {
	for i := range p.cfg.VNC {
		v := &p.cfg.VNC[i]
		is := func(d Device) bool {
			e, _ := catalog.Find(catalog.Devices(), d.Driver)
			return d.ID == v.Display && e.Group == "Display"
		}
		if v.Display != "" && !slices.ContainsFunc(p.devices, is) {
			return &optError{v.Option, fmt.Errorf("there is no display adapter with the id '%s'", v.Display)}
		}
	}
	return nil
}

// address reads "host:display" or "unix:path".
func (v *VNC) address(addr string) error {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if path == "" || len(path) > 107 { // sun_path of unix(7)
			return errors.New("the path of a unix socket has 1 to 107 characters")
		}
		v.Unix = path
		return nil
	}
	i := strings.LastIndexByte(addr, ':')
	if i < 0 {
		return fmt.Errorf("no display number in '%s': -vnc 127.0.0.1:0", addr)
	}
	v.Host = strings.Trim(addr[:i], "[]")
	base := vncBase
	if v.Reverse {
		base = 0
	}
	n, err := strconv.Atoi(addr[i+1:])
	if err != nil || n < 0 || n+base > 65535 {
		return fmt.Errorf("'%s' is not the number of a display", addr[i+1:])
	}
	v.Port = base + n
	return nil
}

func (v *VNC) websocket(arg string) error {
	switch arg {
	case "", "off":
		return nil
	case "on":
		if v.Unix != "" || v.Reverse {
			return errors.New("'websocket' needs a port here: websocket=5700")
		}
		v.WebSocket = v.Port - vncBase + websocketBase
		return nil
	}
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("parameter 'websocket': '%s' is not a port", arg)
	}
	v.WebSocket = n
	return nil
}

func setKeyboard(p *parser, arg string) error {
	if strings.ContainsAny(arg, `/\`) || arg == "" {
		return fmt.Errorf("'%s' is not the name of a keyboard layout, such as en-us or de", arg)
	}
	p.cfg.Keyboard = arg
	return nil
}
