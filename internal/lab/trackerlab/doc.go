// Command trackerlab runs `nt tracker` as processes of their own and does to them
// what a bad day does:
//
//	trackerlab flood   [-fakes N] [-torrents N]     fake URLs and torrents of one /16 through the front doors, honest ones before, between and after
//	trackerlab kills   [-kills 50 -clients 200]  kill -9 and restart under clients and running downloads
//	trackerlab nodes   [-csv FILE -svg FILE]     three trackers and a Redis: one killed, one added, Redis restarted
//	trackerlab slander [-slanderers 200]     false reports against an honest peer, and endpoints that should not be named
//	trackerlab compare [-rounds 5]           against opentracker, one core each, with the load generator on another
//
// Without -nt FILE it is the nt it was built with: the same program runs again as nt.
package main
