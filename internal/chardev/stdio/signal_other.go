//go:build !unix

package stdio

func onContinue(func()) (stop func()) { return func() {} }
