module rhea

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
)

require golang.org/x/arch v0.32.0

require github.com/coder/websocket v1.8.15

require github.com/jfreymuth/pulse v0.1.1 // indirect
