package hmp

import "strings"

// maxOutput bounds what Exec returns.
const maxOutput = 16 << 20

// outputBuffer collects a command's output.
type outputBuffer struct{ strings.Builder }

func (o *outputBuffer) Write(p []byte) (int, error) {
	if room := maxOutput - o.Len(); room < len(p) {
		if room >= 0 {
			o.Builder.Write(p[:room])
			o.Builder.WriteString("\n(the rest is cut off)\n")
		}
		return len(p), nil
	}
	return o.Builder.Write(p)
}
