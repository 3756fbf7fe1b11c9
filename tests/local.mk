include tests/unit/base/local.mk
include tests/unit/net/local.mk
include tests/unit/mime/local.mk
include tests/unit/event/local.mk
include tests/unit/cred/local.mk
include tests/unit/settings/local.mk
include tests/unit/daemon/local.mk
include tests/unit/db/local.mk
include tests/unit/directory/local.mk
include tests/unit/store/local.mk
include tests/unit/auth/local.mk
include tests/unit/admin/local.mk
include tests/unit/smtp/local.mk
include tests/unit/receive/local.mk
include tests/unit/smtpd/local.mk
include tests/unit/submitd/local.mk
include tests/unit/relayd/local.mk
include tests/unit/lmtpd/local.mk
include tests/unit/pop3d/local.mk
include tests/unit/imapd/local.mk
include tests/unit/ctl/local.mk
include tests/unit/relayd/queue.mk
include tests/unit/fuzz/local.mk
include tests/upgrade/local.mk
include tests/fault/local.mk

# A release holds what a clone does: the scripts too, found by folder so that none is forgotten.
EXTRA_DIST += run-tests .ci tests/coverage tests/quickstart tests/system tests/model tests/fault bench/platform
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf '{}' +

# What the first system test leaves for the next ones.
clean-local:
	-rm -rf tests/initdb-*
