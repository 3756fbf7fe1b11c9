dist_man_MANS += docs/yubin.1 docs/yubin.conf.5
EXTRA_DIST += docs/architecture.md docs/config.md docs/delivery.md docs/dependencies.md docs/events.md docs/manual/queue.md docs/performance.md docs/settings.md docs/store.md docs/style.md
