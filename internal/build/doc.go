// Package build holds the test that rhea builds for all its hosts.
package build
