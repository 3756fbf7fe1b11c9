EXTRA_DIST += packaging/packages.build packaging/packages.test packaging/packages.coverage

# systemd's files: below the prefix, where systemd looks for prefixes /usr and /usr/local.
YB_UNITS = packaging/systemd/yubin-smtpd.service packaging/systemd/yubin-submitd.service \
	packaging/systemd/yubin-relayd.service packaging/systemd/yubin-lmtpd.service \
	packaging/systemd/yubin-imapd.service packaging/systemd/yubin-pop3d.service
YB_SYSTEMD = packaging/systemd/sysusers.d/yubin.conf packaging/systemd/tmpfiles.d/yubin.conf

EXTRA_DIST += $(YB_UNITS:=.in) packaging/systemd/yubin.sysusers packaging/systemd/yubin.tmpfiles
CLEANFILES += $(YB_UNITS) $(YB_SYSTEMD)

$(YB_UNITS): Makefile $(YB_UNITS:=.in)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && sed -e 's|@sbindir[@]|$(sbindir)|g' -e 's|@sysconfdir[@]|$(sysconfdir)|g' \
	    $(srcdir)/$@.in >$@
packaging/systemd/sysusers.d/yubin.conf: $(srcdir)/packaging/systemd/yubin.sysusers
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cp $(srcdir)/packaging/systemd/yubin.sysusers $@
packaging/systemd/tmpfiles.d/yubin.conf: $(srcdir)/packaging/systemd/yubin.tmpfiles
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cp $(srcdir)/packaging/systemd/yubin.tmpfiles $@

systemunitdir = $(YB_SYSTEMUNITDIR)
systemunit_DATA = $(YB_UNITS)
sysusersdir = $(YB_SYSUSERSDIR)
sysusers_DATA = packaging/systemd/sysusers.d/yubin.conf
tmpfilesdir = $(YB_TMPFILESDIR)
tmpfiles_DATA = packaging/systemd/tmpfiles.d/yubin.conf

# Who may be which role of the database, for the operator to add to PostgreSQL's own file.
postgresqldir = $(pkgdatadir)/postgresql
dist_postgresql_DATA = packaging/postgresql/pg_ident.conf

# The sample configuration, from the option tables. It becomes the configuration where there is none.
packaging/yubin.conf.sample: ctl/yubin$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) $(@D) && ./ctl/yubin$(EXEEXT) config docs sample >$@.new && mv $@.new $@
pkgdata_DATA = packaging/yubin.conf.sample
CLEANFILES += packaging/yubin.conf.sample

install-data-local: packaging/yubin.conf.sample
	$(MKDIR_P) '$(DESTDIR)$(sysconfdir)/yubin'
	test -e '$(DESTDIR)$(sysconfdir)/yubin/yubin.conf' || \
	    $(INSTALL_DATA) packaging/yubin.conf.sample '$(DESTDIR)$(sysconfdir)/yubin/yubin.conf'
