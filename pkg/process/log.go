package process

import (
	"fmt"
	"log"
	"strings"

	"github.com/go-logr/logr"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlzap "sigs.k8s.io/controller-runtime/pkg/log/zap"
)

// unsampledLevel turns off sampling. At a higher level, controller-runtime's logger keeps only each hundredth line of a
// burst. Every admission has one line, and the line of a denied pod must not be lost.
const unsampledLevel = zapcore.Level(-2)

// SetLogger sets the logger of controller-runtime and of net/http. The level is that of --log-level.
func SetLogger(level string) error {
	parsed, err := zapcore.ParseLevel(level)
	if err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	ctrl.SetLogger(ctrlzap.New(ctrlzap.Level(unsampledLevel), ctrlzap.RawZapOpts(zap.IncreaseLevel(parsed))))
	log.SetFlags(0)
	log.SetOutput(serverLog{ctrl.Log.WithName("http")})
	return nil
}

// serverLog writes the messages of net/http, for example failed handshakes, in the format of the other lines.
type serverLog struct{ logr.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.Info(strings.TrimSpace(string(line)))
	return len(line), nil
}
