#!/bin/dash
# SPDX-License-Identifier: BSD-2-Clause
# A page as a shell makes one: itself and two programs.
printf 'Content-Type: text/html\r\n\r\n<html><body>\n'
date
sed 's/^/<p>/' /etc/passwd
echo '</body></html>'
