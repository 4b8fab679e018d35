//go:build !(linux && amd64)

package host

// Available says whether this host can run generated code.
func Available() bool { return false }

// NewContext makes a Context; on this host it cannot.
func NewContext(tables int) (*Context, error) { return nil, errUnavailable }

// Enter runs generated code; there are no Contexts on this host to call it on.
func (c *Context) Enter(code uintptr) uint32 { panic("BUG: " + errUnavailable.Error()) }

// Close gives the memory back.
func (c *Context) Close() error { return nil }

// NewCode makes memory for machine code; on this host it cannot.
func NewCode(size int) (*Code, error) { return nil, errUnavailable }

// NewPrivateCode is NewCode.
func NewPrivateCode(size int) (*Code, error) { return nil, errUnavailable }

// Map maps a file's code; on this host it cannot.
func (c *Code) Map(fd int, off int64, at, size int) error { return errUnavailable }

// SetGS sets the base of GS, which this host has not.
func SetGS(base uintptr) error { return errUnavailable }

// Close gives the memory back.
func (c *Code) Close() error { return nil }
