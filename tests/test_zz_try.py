import sys, warnings
from hypothesis import given, settings, HealthCheck
from tests.strategies import histories
from tests.judging import *
import time, pytest
def test_x(database):
    T=[0,0,0,0]
    with bench(database) as b:
        @settings(max_examples=int(__import__("os").environ.get("N","40")),database=None,deadline=None,suppress_health_check=list(HealthCheck),report_multiple_bugs=False,phases=[__import__('hypothesis').Phase.generate])
        @given(histories())
        def f(h):
            t=time.time()
            l=b.record(h); T[0]+=time.time()-t; t=time.time()
            T[3]+=len(l.log)-1
            T[2]+=len(h.contents)
            judge(b,l); judge_answers(l); T[1]+=time.time()-t
        try: f()
        finally: print("TIMES",T)
